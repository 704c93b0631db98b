// Memory before running: what `plan` predicts is what a Program then holds, and nothing is computed for it.

#include "autograd/plan.h"

#include <doctest/doctest.h>

#include <string>

#include "autograd/autograd.h"
#include "autograd/storage.h"
#include "nn/nn.h"
#include "optim/optim.h"
#include "tests/support/op_function.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

size_t bytes_of(const Tensor& x) { return static_cast<size_t>(x.numel()) * element_size(x.dtype()); }

// Plans a whole training step, captures it, runs it, and counts what is there.
void check_step(const std::vector<int64_t>& sizes, int64_t batch, double momentum) {
  INFO("batch ", batch, ", momentum ", momentum);
  Rng rng(7);
  const std::vector<nn::Activation> activations = [&] {
    std::vector<nn::Activation> a(sizes.size() - 1, nn::relu);
    a.back() = nn::identity;
    return a;
  }();
  nn::FeedForward net(sizes, activations, rng);
  optim::SGD sgd(parameters(net), {.learning_rate = 0.01, .momentum = momentum});
  const auto step = [&](const Tensor& x, const Tensor& y) {
    Tape tape;
    const Tensor loss = cross_entropy(net(x), y);
    sgd.step(tape.gradient(loss));
    return loss;
  };
  std::vector<Tensor> before;
  for (const CellRef& p : parameters(net)) before.push_back(p.value());
  const MemoryPlan predicted = plan_step(step, TensorSpec{{batch, sizes[0]}}, TensorSpec{{batch}, int64});
  size_t cells = 0, k = 0;
  for (const CellRef& p : parameters(net)) {
    CHECK(same_bits(p.value(), before[k++]));
    // With momentum the velocity, and the seven numbers of a step in float64.
    cells += momentum != 0 ? 2 * bytes_of(p.value()) + 7 * sizeof(double) : bytes_of(p.value());
  }
  before.clear();
  const Tensor x = rng.normal({batch, sizes[0]}), y = rng.integers({batch}, 0, sizes.back());
  Program program = capture_step(step, x, y);
  program.check_every(0);
  const Tensor loss = program(x, y).value;
  // Where a cell is not written in place, its new value is counted with the results.
  CHECK(program.memory().results >= bytes_of(loss));
  const double used = static_cast<double>(program.arena_bytes() + bytes_of(x) + bytes_of(y) + cells +
                                          program.memory().results + program.memory().constants);
  CHECK(std::abs(static_cast<double>(predicted.peak()) - used) <= 0.01 * used);
  CHECK(predicted.arena == program.arena_bytes());
  CHECK(predicted.cells == cells);
  CHECK(predicted.inputs == bytes_of(x) + bytes_of(y));
}

}  // namespace

TEST_CASE("autograd/plan: training steps of the benchmark's nets") {
  for (const double momentum : {0.0, 0.9}) {
    check_step({2, 16, 16, 2}, 1, momentum);
    check_step({2, 16, 16, 2}, 64, momentum);
    for (const int64_t batch : {1, 32, 128}) check_step({784, 512, 512, 10}, batch, momentum);
    check_step(std::vector<int64_t>(65, 32), 32, momentum);
  }
}

TEST_CASE("autograd/plan: a batch that no machine could hold takes no memory and no time") {
  Rng rng(1);
  nn::FeedForward net({784, 512, 10}, {nn::relu, nn::identity}, rng);
  const auto f = [&](const Tensor& x, const Tensor& y) { return cross_entropy(net(x), y); };
  plan(f, TensorSpec{{1, 784}}, TensorSpec{{1}, int64});
  const size_t reserved = detail::pool_bytes_reserved();
  const int64_t batch = int64_t{1} << 34;
  const MemoryPlan memory = plan(f, TensorSpec{{batch, 784}}, TensorSpec{{batch}, int64});
  CHECK(memory.inputs == static_cast<size_t>(batch) * (784 * 4 + 8));
  CHECK(memory.arena >= static_cast<size_t>(batch) * 512 * 4);
  CHECK(detail::pool_bytes_reserved() - reserved <= size_t{4} << 20);
}

TEST_CASE("autograd/plan: what needs elements is refused") {
  const Parameter w(full({3}, 0.5));
  CHECK(message_of<GraphError>([&] {
          plan([&](const Tensor& x) { return sum(x * w) * sum(x).item(); }, TensorSpec{{3}});
        }).find("were read") != std::string::npos);
  // A constant that is computed inside can be read by capture, not here.
  const auto constant = [&](const Tensor& x) { return sum(x * w) * sum(ones({4}) * 2.0).item(); };
  CHECK_NOTHROW(capture(constant, full({3}, 1)));
  CHECK(message_of<GraphError>([&] { plan(constant, TensorSpec{{3}}); }).find("nothing is computed") !=
        std::string::npos);
  CHECK(message_of<GraphError>([&] {
          plan(
              [&](const Tensor& x) {
                const Buffer kept(x * 2.0);
                return sum(x * w);
              },
              TensorSpec{{3}});
        }).find("a parameter or buffer was made of") != std::string::npos);
  // Faults of the function are found as ever, and the thread is as it was.
  CHECK_THROWS_AS(plan([&](const Tensor& x) { return sum(matmul(x, w)); }, TensorSpec{{2, 2}}), ShapeError);
  CHECK(sum(w * 2.0).item() == 3.0);
}

TEST_CASE("autograd/plan: state that a step writes is put back") {
  Buffer count(full({}, 3));
  const Parameter w(full({4}, 0.5));
  const MemoryPlan memory = plan_step(
      [&](const Tensor& x) {
        assign(count.ref(), count + 1.0);
        return sum(x * w);
      },
      TensorSpec{{4}});
  CHECK(count.value().item() == 3.0);
  CHECK(memory.cells == 4 * 4 + 4);
  CHECK(to_string(memory).find("cells 20") != std::string::npos);
}
