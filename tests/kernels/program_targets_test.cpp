// Programs on every vector target of this processor.

#include <doctest/doctest.h>

#include "autograd/autograd.h"
#include "autograd/program.h"
#include "nn/nn.h"
#include "optim/optim.h"
#include "tests/kernels/kernel_data.h"
#include "tests/support/op_function.h"

namespace tapegrad {
namespace {

using testing::same_bits;

struct Trained {
  Tensor loss, weight;
};

Trained train(DType dtype, const std::vector<int64_t>& sizes, int64_t batch, bool by_program) {
  Rng rng(11);
  nn::FeedForward net(sizes, {nn::tanh, nn::sigmoid, nn::identity}, rng, nn::kaiming_uniform, dtype);
  optim::SGD sgd(parameters(net), {.learning_rate = 0.05});
  const Tensor x = rng.normal({batch, sizes.front()}, dtype), y = rng.normal({batch, sizes.back()}, dtype);
  auto step = [&](const Tensor& a, const Tensor& b) {
    Tape tape;
    const Tensor loss = mse_loss(net(a), b) + 0.01 * sum(exp(-square(net.layers[0].weight)));
    sgd.step(tape.gradient(loss));
    return loss;
  };
  Trained result;
  if (by_program) {
    Program program = capture_step({.check_every = 0}, step, x, y);
    for (int t = 0; t < 4; ++t) result.loss = program(x, y).value;
  } else {
    for (int t = 0; t < 4; ++t) result.loss = step(x, y);
  }
  result.weight = net.layers[0].weight.value();
  return result;
}

}  // namespace

TEST_CASE(
    "kernels/program_targets: on every vector target a program has the bits of eager, near the best's") {
  for (DType dtype : {float32, float64}) {
    const std::pair<std::vector<int64_t>, int64_t> nets[] = {
        {{3, 5, 4, 1}, 1}, {{2, 16, 16, 1}, 64}, {{50, 33, 20, 7}, 9}};
    for (const auto& net : nets) {
      Trained best;
      kernel_tests::on_each_target([&](const std::string& name) {
        CAPTURE(name);
        const Trained eager = train(dtype, net.first, net.second, false),
                      replayed = train(dtype, net.first, net.second, true);
        CHECK(same_bits(eager.loss, replayed.loss));
        CHECK(same_bits(eager.weight, replayed.weight));
        if (!best.loss.defined()) best = eager;
        // Four steps of a net have no bound of their own; program_ops_test.cpp holds each op to its. A few
        // ulp of each op, through slopes below 1.
        const double near = dtype == float32 ? 1e-5 : 1e-14;
        CHECK(allclose(eager.loss, best.loss, near, near));
        CHECK(allclose(eager.weight, best.weight, near, near));
      });
    }
  }
}

}  // namespace tapegrad
