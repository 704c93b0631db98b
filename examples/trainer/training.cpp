#include "examples/trainer/training.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "examples/trainer/console.h"
#include "examples/trainer/evaluate.h"
#include "examples/trainer/finite.h"
#include "examples/trainer/interrupt.h"
#include "examples/trainer/optimizers.h"
#include "examples/trainer/progress.h"

namespace trainer {

using namespace tapegrad;

namespace {

// Long trainings print this many lines at most where nobody looks on.
constexpr int64_t kMostLines = 100;

// One step of the training: the weights move, the loss before it comes back.
class Step {
 public:
  Step(const Options& options, const nn::FeedForward& net, optim::Optimizer& optimizer)
      : options_(options), net_(net), optimizer_(optimizer) {}

  Tensor operator()(const Tensor& samples, const Tensor& labels) {
    if (!options_.program) return once(samples, labels);
    if (!program_) {
      program_.emplace(capture_step(
          {.fuse_updates = options_.fuse_updates},
          [this](const Tensor& x, const Tensor& y) { return once(x, y); }, samples, labels));
    }
    return (*program_)(samples, labels).value;
  }

 private:
  Tensor once(const Tensor& samples, const Tensor& labels) const {
    Tape tape;
    const Tensor loss = check_finite(batch_loss(options_, net_, samples, labels));
    Gradients gradients = std::move(tape).gradient(loss);
    if (options_.clip > 0) optim::clip_grad_norm(gradients, options_.clip);
    optimizer_.step(gradients);
    return loss;
  }

  const Options& options_;
  const nn::FeedForward& net_;
  optim::Optimizer& optimizer_;
  std::optional<Program> program_;
};

// The record that makes a NaN or an infinity of this batch, with its line and operands.
std::string find_trouble(const Options& options, const nn::FeedForward& net, const nn::Batch& batch) {
  try {
    Tape tape({.debug = true});
    tape.gradient(batch_loss(options, net, batch.inputs, batch.targets));
  } catch (const NumericError& error) {
    return error.what();
  }
  return "no record of the batch is at fault by itself";
}

// The weights of the best epoch so far, for --patience.
class Best {
 public:
  explicit Best(const ParameterList& parameters) : parameters_(parameters) {}

  // True when this loss is the lowest so far.
  bool offer(int64_t epoch, double loss) {
    if (!(loss < loss_)) return false;
    loss_ = loss;
    epoch_ = epoch;
    values_.clear();
    for (const CellRef& cell : parameters_) values_.push_back(cell.value());
    return true;
  }
  void restore() const {
    for (size_t i = 0; i < values_.size(); ++i) assign(parameters_[i], values_[i]);
  }
  int64_t epoch() const { return epoch_; }

 private:
  const ParameterList& parameters_;
  double loss_ = std::numeric_limits<double>::infinity();
  int64_t epoch_ = 0;
  std::vector<Tensor> values_;
};

}  // namespace

Tensor batch_loss(const Options& options, const nn::FeedForward& net, const Tensor& samples,
                  const Tensor& labels) {
  return cross_entropy(net(samples), labels, {.label_smoothing = options.label_smoothing});
}

Outcome train(const Options& options, const Data& data, const nn::FeedForward& net, Rng& rng,
              History& history) {
  const int64_t steps = nn::batches(data.train, options.batch).count();
  const ParameterList weights = parameters(net);
  auto [optimizer, plateau] = make_optimizer(options, weights, steps);
  Step step(options, net, optimizer);
  Best best(weights);
  Progress progress(options.epochs, steps);
  Outcome outcome;
  const Clock clock;
  double in_steps = 0;
  int64_t seen = 0;

  for (int64_t epoch = 1; epoch <= options.epochs && outcome.end == End::complete; ++epoch) {
    const double begin = clock.seconds(), rate = optimizer.learning_rate();
    outcome.epochs = epoch;
    double total = 0;
    int64_t samples = 0, done = 0;
    for (const nn::Batch& batch : nn::batches(data.train, options.batch, rng)) {
      double loss = 0;
      try {
        loss = step(batch.inputs, batch.targets).item();
      } catch (const NumericError&) {
        progress.clear();
        outcome.end = End::not_finite;
        outcome.trouble = find_trouble(options, net, batch);
        return outcome;
      }
      total += loss * static_cast<double>(batch.targets.size(0));
      samples += batch.targets.size(0);
      progress.step(epoch, ++done, total / static_cast<double>(samples),
                    static_cast<double>(samples) / (clock.seconds() - begin));
      if (interrupted() != 0) {
        outcome.end = End::interrupted;
        break;
      }
    }
    in_steps += clock.seconds() - begin;
    seen += samples;
    outcome.train_loss = total / static_cast<double>(samples);
    outcome.samples_per_second = static_cast<double>(seen) / in_steps;

    const Predictions held_out = predict(net, data.held_out());
    const double loss = held_out.mean_loss();
    if (plateau) plateau->step(loss);
    progress.clear();
    outcome.seconds = clock.seconds();
    history.append({epoch, outcome.train_loss, loss, held_out.accuracy(), rate, outcome.seconds});
    const bool better = options.patience > 0 && best.offer(epoch, loss);
    const bool last = epoch == options.epochs || outcome.end != End::complete;
    if (is_terminal() || last ||
        epoch % std::max<int64_t>(1, (options.epochs + kMostLines - 1) / kMostLines) == 0) {
      say("epoch {}/{}: train loss {:.4f}{}, {} loss {:.4f}, accuracy {:.2f} %, {:.1f} s, {:.0f} "
          "samples/s{}\n",
          epoch, options.epochs, outcome.train_loss, options.label_smoothing > 0 ? " of smoothed labels" : "",
          data.held_out_name(), loss, 100 * held_out.accuracy(), clock.seconds() - begin,
          static_cast<double>(samples) / (clock.seconds() - begin), better ? ", best so far" : "");
    }
    if (options.patience > 0 && epoch - best.epoch() >= options.patience) outcome.end = End::early;
  }
  outcome.best_epoch = options.patience > 0 ? best.epoch() : outcome.epochs;
  if (options.patience > 0) best.restore();
  return outcome;
}

}  // namespace trainer
