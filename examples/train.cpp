// Trains a fully connected net to tell classes apart: the main job of `./run train`. Exit status 0; 1 when
// the gradient check fails or the loss is no longer a number; 2 for a bad option or file; 128 and the
// signal's number when one ended the training.

#include <cerrno>
#include <new>
#include <string_view>

#include "examples/trainer/check.h"
#include "examples/trainer/console.h"
#include "examples/trainer/data.h"
#include "examples/trainer/evaluate.h"
#include "examples/trainer/history.h"
#include "examples/trainer/interrupt.h"
#include "examples/trainer/options.h"
#include "examples/trainer/output.h"
#include "examples/trainer/pictures.h"
#include "examples/trainer/progress.h"
#include "examples/trainer/report.h"
#include "examples/trainer/training.h"
#include "nn/nn.h"
#include "optim/optim.h"

namespace {

using namespace tapegrad;
using namespace trainer;

constexpr int64_t kCheckedSamples = 4;

struct Net {
  std::vector<int64_t> sizes;
  std::vector<nn::Activation> activations;
  nn::FeedForward net;
};

Net make_net(const Options& options, const Data& data, Rng& rng) {
  std::vector<int64_t> sizes = options.layers;
  sizes.insert(sizes.begin(), data.inputs());
  sizes.push_back(static_cast<int64_t>(data.classes.size()));
  std::vector<nn::Activation> activations(options.layers.size(), options.activation);
  activations.push_back(nn::identity);  // cross_entropy takes logits
  nn::FeedForward net{sizes, activations, rng, options.init, options.dtype};
  return {std::move(sizes), std::move(activations), std::move(net)};
}

// Weights of another net are as bad as a file of another format.
void load_weights(const nn::FeedForward& net, const std::string& path) {
  try {
    nn::load(net, path);
  } catch (const IoError&) {
    throw;
  } catch (const Error& error) {
    throw FormatError(error.what(), 0);
  }
}

void draw(const OutputFolder& out, const Options& options, const nn::FeedForward& net, const Data& data,
          const Outcome& outcome, const Predictions& test, const nn::ConfusionMatrix& confusion) {
  Drawer drawer(out);
  draw_learning_curves(drawer, options, outcome.epochs, data.held_out_name());
  draw_confusion(drawer, out, confusion, data.classes);
  if (data.height > 0) draw_mistakes(drawer, out, data, test);
  if (data.inputs() == 2) draw_boundary(drawer, out, net, data);
  Tape tape;
  const int64_t few = std::min(kCheckedSamples, data.train.size());
  (void)batch_loss(options, net, slice(data.train.inputs, 0, 0, few), slice(data.train.targets, 0, 0, few));
  draw_graph(drawer, tape);
  say("pictures in {}: {}\n", out.path(),
      drawer.drawn().empty() ? "none" : fmt::format("{}", fmt::join(drawer.drawn(), ", ")));
  if (!drawer.missing().empty()) {
    say("not drawn, because {} cannot be run; what it reads is there\n",
        fmt::join(drawer.missing(), " and "));
  }
}

// Where the time of a loss and its gradients goes, on one batch.
void profile_step(const Options& options, const nn::FeedForward& net, const Data& data,
                  const OutputFolder& out) {
  const int64_t samples = std::min(options.batch, data.train.size());
  Tape tape;
  const Tensor loss = batch_loss(options, net, slice(data.train.inputs, 0, 0, samples),
                                 slice(data.train.targets, 0, 0, samples));
  const Profile found = profile(tape, loss);
  say("{}\n", to_string(found));
  out.write("profile.txt", to_string(found));
  out.write("profile.json", found.chrome_trace());
}

int run(const Options& options) {
  if (options.quiet || options.json) be_quiet();
  if (options.threads > 0) set_num_threads(static_cast<int>(options.threads));
  catch_interrupts();
  if (!options.save.empty()) check_destination(options.save);
  const Clock loading;
  const Data data = load_data(options);
  say("data: {}, {} training{} and {} test samples of {} numbers, {} classes ({:.1f} s)\n", data.name,
      data.train.size(),
      data.validation.targets.defined() ? fmt::format(", {} validation", data.validation.size()) : "",
      data.test.size(), data.inputs(), data.classes.size(), loading.seconds());
  const OutputFolder out(options.out);
  History history(out);

  Rng rng{options.seed};
  const Net made = make_net(options, data, rng);
  const nn::FeedForward& net = made.net;
  if (!options.load.empty()) load_weights(net, options.load);
  say("{}\n", nn::to_string(nn::summary(net, {options.batch, data.inputs()}, options.dtype)));
  if (options.verify) {
    const int64_t few = std::min(kCheckedSamples, data.train.size());
    const GradientCheck check =
        check_gradients(net, made.sizes, made.activations, slice(data.train.inputs, 0, 0, few),
                        slice(data.train.targets, 0, 0, few));
    say("{}\n", check.text);
    if (!check.ok) {
      print_error("{}; --no-verify trains all the same",
                  quiet() ? check.text : "the gradient check failed, see above");
      return 1;
    }
  }

  const Outcome outcome = train(options, data, net, rng, history);
  if (outcome.end == End::not_finite) {
    print_error("the loss is no longer a finite number in epoch {}; a smaller --lr may help. {}",
                outcome.epochs, outcome.trouble);
    return 1;
  }
  if (outcome.end == End::early)
    say("stopped early, {} epochs without a lower loss; the weights are those of epoch {}\n",
        options.patience, outcome.best_epoch);
  if (outcome.end == End::interrupted) say("interrupted in epoch {}\n", outcome.epochs);
  if (!options.save.empty()) {
    nn::save(net, options.save);
    say("weights in {}\n", options.save);
  }

  const Predictions test = predict(net, data.test);
  nn::ConfusionMatrix confusion(static_cast<int64_t>(data.classes.size()));
  confusion.update(test.chosen_classes(), data.test.targets);
  say("\n{}\n", nn::to_string(confusion, data.classes));
  if (options.profile) profile_step(options, net, data, out);
  if (options.pictures) draw(out, options, net, data, outcome, test, confusion);
  say("trained in {:.1f} s, {:.0f} samples/s; history in {}\n", outcome.seconds, outcome.samples_per_second,
      out.path("history.csv"));
  const uint64_t weights = fingerprint(parameters(net));
  say("weights: {:016x}\n", weights);
  if (options.json) {
    write_output(json_text(options, data, outcome, test, confusion, count_parameters(net), weights) + "\n");
  } else {
    write_output(fmt::format("test accuracy: {:.2f} %\n", 100 * test.accuracy()));
  }
  return outcome.end == End::interrupted ? 128 + interrupted() : 0;
}

}  // namespace

int main(int argc, char** argv) {
  prepare_console();
  int status = 0;
  try {
    const std::optional<Options> options = parse_options(argc, argv, status);
    if (options) status = run(*options);
  } catch (const IoError& error) {
    const bool missing =
        error.code() == ENOENT && std::string_view(error.what()).starts_with("/usr/share/datasets");
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
