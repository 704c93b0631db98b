// Trainings with fuse_updates beside trainings without: what rounds differently must not matter more than the
// seed does.

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "nn/nn.h"
#include "optim/optim.h"

using namespace tapegrad;

namespace {

constexpr int64_t kInputs = 784, kClasses = 10, kBatch = 150, kBatches = 8, kEpochs = 6;

// Noisy copies of one point per class.
struct Samples {
  Tensor inputs, labels;

  Samples(const Tensor& centres, int64_t count, Rng& rng)
      : inputs(zeros({})), labels(rng.integers({count}, 0, kClasses)) {
    inputs = index_select(centres, 0, labels) * 0.15 + rng.normal({count, kInputs});
  }
};

struct Result {
  double loss, accuracy;  // on samples that were not trained with
  bool folded;            // something rode on a product
};

Result train(uint64_t seed, bool fuse) {
  Rng data(17);  // the same problem for every seed
  const Tensor centres = data.normal({kClasses, kInputs});
  const Samples training(centres, kBatch * kBatches, data), test(centres, 1000, data);
  Rng rng(seed);
  const nn::FeedForward net({kInputs, 300, 128, kClasses}, {nn::relu, nn::relu, nn::identity}, rng,
                            nn::kaiming_uniform);
  optim::SGD sgd(parameters(net), {.learning_rate = 0.05});
  const auto step = [&](const Tensor& x, const Tensor& y) {
    Tape tape;
    const Tensor loss = cross_entropy(net(x), y);
    sgd.step(tape.gradient(loss));
    return loss;
  };
  const Tensor first = rng.permutation(training.labels.numel());
  Program program = capture_step({.check_every = 0, .fuse_updates = fuse}, step,
                                 slice(training.inputs, 0, 0, kBatch), slice(training.labels, 0, 0, kBatch));
  const bool folded = to_string(program).find("folded into a product") != std::string::npos;
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    const Tensor order = epoch == 0 ? first : rng.permutation(training.labels.numel());
    for (int64_t b = 0; b < kBatches; ++b) {
      const Tensor places = slice(order, 0, b * kBatch, (b + 1) * kBatch);
      program(index_select(training.inputs, 0, places), index_select(training.labels, 0, places));
    }
  }
  const Tensor logits = net(test.inputs);
  return {cross_entropy(logits, test.labels).item(),
          mean(cast(eq(argmax(logits, 1), test.labels), float64)).item(), folded};
}

double deviation(const std::vector<double>& values) {
  double mean = 0, squares = 0;
  for (const double v : values) mean += v / static_cast<double>(values.size());
  for (const double v : values) squares += (v - mean) * (v - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

}  // namespace

TEST_CASE("autograd/fused_training: fused updates change a training by less than its seed does") {
  std::vector<double> losses, accuracies, fused_losses, fused_accuracies;
  bool differs = false;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Result plain = train(seed, false), fused = train(seed, true);
    CHECK(!plain.folded);
    CHECK(fused.folded);
    losses.push_back(plain.loss);
    accuracies.push_back(plain.accuracy);
    fused_losses.push_back(fused.loss);
    fused_accuracies.push_back(fused.accuracy);
    differs = differs || plain.loss != fused.loss;
  }
  CHECK(differs);  // the two are not one program
  const double loss_noise = deviation(losses), accuracy_noise = deviation(accuracies);
  CHECK(loss_noise > 0);
  for (size_t i = 0; i < losses.size(); ++i) {
    CAPTURE(i);
    CHECK(accuracies[i] > 0.3);  // it learns; by chance 0.1
    CHECK(std::abs(fused_losses[i] - losses[i]) <= loss_noise);
    CHECK(std::abs(fused_accuracies[i] - accuracies[i]) <= accuracy_noise);
  }
}
