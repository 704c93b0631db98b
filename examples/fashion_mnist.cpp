// Trains a fully connected net on Fashion-MNIST: the main job of `./run train`. Exit status 0; 1 when the
// gradient check fails or the loss is no longer a number; 2 for a bad option or file.

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <new>
#include <string_view>

#include "examples/trainer/check.h"
#include "examples/trainer/console.h"
#include "examples/trainer/evaluate.h"
#include "examples/trainer/history.h"
#include "examples/trainer/options.h"
#include "examples/trainer/progress.h"
#include "nn/data/data.h"
#include "nn/nn.h"
#include "optim/optim.h"

namespace {

using namespace tapegrad;
using namespace trainer;

constexpr int64_t kClasses = 10;
constexpr int64_t kCheckedSamples = 4;

// One half of the data, as much of it as the options ask for.
nn::Dataset load(const Options& options, bool train) {
  nn::Dataset data = nn::load_mnist(options.data, train);
  const int64_t samples = options.limit > 0 ? std::min(options.limit, data.size()) : data.size();
  if (samples == 0) throw FormatError(fmt::format("{}: expected at least one sample", options.data), 4);
  if (samples == data.size()) return data;
  return {slice(data.inputs, 0, 0, samples), slice(data.targets, 0, 0, samples)};
}

// The learning rate at each of the steps t = 1, 2, ….
optim::Schedule schedule(const Options& options, int64_t steps) {
  if (options.decay == Decay::none) return options.lr;
  return [lr = options.lr, steps](int64_t t) {
    return lr * static_cast<double>(std::max<int64_t>(steps - t + 1, 0)) / static_cast<double>(steps);
  };
}

// Trains for one epoch and returns the mean loss of its steps; NaN as soon as a loss is no longer finite.
double train_epoch(const nn::FeedForward& net, optim::SGD& sgd, const nn::Batches& range, int64_t epoch,
                   Progress& progress) {
  const Clock clock;
  double total = 0;
  int64_t samples = 0, step = 0;
  for (const auto& [images, labels] : range) {
    Tape tape;
    const Tensor loss = cross_entropy(net(images), labels);
    sgd.step(std::move(tape).gradient(loss));

    if (!std::isfinite(loss.item())) return NAN;
    total += loss.item() * static_cast<double>(labels.size(0));
    samples += labels.size(0);
    progress.step(epoch, ++step, total / static_cast<double>(samples),
                  static_cast<double>(samples) / clock.seconds());
  }
  return total / static_cast<double>(samples);
}

int run(const Options& options) {
  if (options.threads > 0) set_num_threads(static_cast<int>(options.threads));
  const Clock loading;
  const nn::Dataset train = load(options, true), test = load(options, false);
  const int64_t pixels = train.inputs.size(1);
  if (test.inputs.size(1) != pixels) {
    throw FormatError(fmt::format("{}: {} pixels in training images but {} in test images", options.data,
                                  pixels, test.inputs.size(1)),
                      8);
  }
  say("data: {} training and {} test samples of {} pixels from {} ({:.1f} s)\n", train.size(), test.size(),
      pixels, options.data, loading.seconds());
  History history(options.out);

  std::vector<int64_t> sizes = options.layers;
  sizes.insert(sizes.begin(), pixels);
  sizes.push_back(kClasses);
  std::vector<nn::Activation> activations(options.layers.size(), options.activation);
  activations.push_back(nn::identity);  // cross_entropy takes logits

  Rng rng{options.seed};
  const nn::FeedForward net{sizes, activations, rng, options.init};
  say("net: {} ({}, {}), {} parameters; {} threads\n", fmt::join(sizes, " → "), options.activation.name,
      options.init.name, count_parameters(net), num_threads());

  const int64_t few = std::min(kCheckedSamples, train.size());
  const GradientCheck check = check_gradients(net, sizes, activations, slice(train.inputs, 0, 0, few),
                                              slice(train.targets, 0, 0, few));
  say("{}\n", check.text);
  if (!check.ok) return 1;

  const int64_t steps = nn::batches(train, options.batch).count();
  optim::SGD sgd{parameters(net),
                 {.learning_rate = schedule(options, options.epochs * steps), .momentum = options.momentum}};
  Progress progress(options.epochs, steps);
  const Clock clock;
  Score score{};
  for (int64_t epoch = 1; epoch <= options.epochs; ++epoch) {
    const double begin = clock.seconds(), rate = sgd.learning_rate();
    const double loss = train_epoch(net, sgd, nn::batches(train, options.batch, rng), epoch, progress);
    const double trained = clock.seconds() - begin;
    progress.clear();
    if (!std::isfinite(loss)) {
      print_error("the loss is no longer a finite number in epoch {}; a smaller --lr may help", epoch);
      return 1;
    }
    score = evaluate(net, test);
    history.append({epoch, loss, score.loss, score.accuracy, rate, clock.seconds()});
    say("epoch {}/{}: train loss {:.4f}, test loss {:.4f}, test accuracy {:.2f} %, {:.1f} s, {:.0f} "
        "samples/s\n",
        epoch, options.epochs, loss, score.loss, 100 * score.accuracy, clock.seconds() - begin,
        static_cast<double>(train.size()) / trained);
  }
  say("trained in {:.1f} s; history in {}\n", clock.seconds(), history.path());
  say("weights: {:016x}\n", fingerprint(parameters(net)));
  say("test accuracy: {:.2f} %\n", 100 * score.accuracy);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  prepare_console();
  int status = 0;
  try {
    const std::optional<Options> options = parse_options(argc, argv, status);
    if (options) status = run(*options);
  } catch (const IoError& error) {
    const bool missing = error.code() == ENOENT && std::string_view(error.what()).starts_with(Options{}.data);
    print_error("{}{}", error.what(), missing ? "; Debian's package dataset-fashion-mnist installs it" : "");
    status = 2;
  } catch (const FormatError& error) {
    print_error("{}", error.what());
    status = 2;
  } catch (const std::bad_alloc&) {
    print_error("out of memory");
    status = 1;
  } catch (const std::exception& error) {
    print_error("{}", error.what());
    status = 1;
  }
  if (status == 0 && !output_complete()) {
    print_error("cannot write to the standard output");
    status = 2;
  }
  return status;
}
