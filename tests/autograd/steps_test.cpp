// The ops of optimisers' steps: what they take and refuse, in place and not. Their numbers are in optim/.

#include "autograd/ops/steps.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "autograd/autograd.h"
#include "autograd/samples.h"
#include "tests/support/op_function.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using namespace tapegrad::testing;

TEST_CASE("autograd/steps: update writes in place what apply gives") {
  for (const Op* op : ops::steps()) {
    for (const DType dtype : {float32, float64}) {
      Samples samples(dtype);
      op->samples(samples);
      REQUIRE(samples.samples().size() >= 5);
      for (const Sample& sample : samples.samples()) {
        CAPTURE(op->name);
        const std::vector<Tensor> expected = run(*op, sample.inputs, {});
        REQUIRE(expected.size() == op->operands.size() - 2);
        std::vector<Buffer> cells;
        for (size_t k = 2; k < sample.inputs.size(); ++k)
          cells.emplace_back(add(sample.inputs[k], 0.0));  // memory of its own
        std::vector<CellRef> targets;
        std::vector<Arg> args = {sample.inputs[0], sample.inputs[1]};
        std::vector<const void*> memory;
        for (const Buffer& cell : cells) {
          targets.push_back(cell.ref());
          args.emplace_back(cell);
          memory.push_back(cell.value().handle()->data);
        }
        update(targets, *op, args);
        for (size_t k = 0; k < cells.size(); ++k) {
          CHECK(same_bits(cells[k].value(), expected[k]));
          CHECK(cells[k].value().handle()->data == memory[k]);
          CHECK(targets[k].version() == 1);
        }
        // Somebody holds a value: it stays as it was.
        const Tensor held = cells.back().value(), copy = add(held, 0.0);
        for (size_t k = 0; k < cells.size(); ++k) args[2 + k] = cells[k];
        update(targets, *op, args);
        CHECK(same_bits(held, copy));
        CHECK(cells.back().value().handle()->data != memory.back());
      }
    }
  }
}

TEST_CASE("autograd/steps: calls that must throw") {
  for (const Op* op : ops::steps()) {
    Samples samples(float32);
    op->samples(samples);
    REQUIRE(samples.errors().size() == 2);
    for (const ErrorSample& error : samples.errors()) {
      const std::string message = message_of([&] { run(*op, error.inputs, {}); });
      CAPTURE(message);
      CHECK(message.starts_with("[" + std::string(op->name) + "] "));
      CHECK(message.find(error.gist) != std::string::npos);
      CHECK(message.find("steps_test.cpp:") != std::string::npos);
    }
  }
}

TEST_CASE("autograd/steps: an update whose outputs do not fit the cells writes none of them") {
  const Op& op = ops::step_op(ops::Step::sgd_momentum);
  const Buffer w(ones({3}), "w"), other(ones({4}), "other");
  const CellRef cells[] = {w.ref(), other.ref()};
  const Tensor x = ones({3}), numbers = zeros({ops::step_numbers(op)}, float64);
  const Arg args[] = {x, numbers, x, x};
  CHECK(message_of<ShapeError>([&] { update(cells, op, args); }) ==
        "[sgd_momentum_step] the update float32[3] does not fit the cell \"other\": float32[4]");
  CHECK(w.ref().version() == 0);
  CHECK(equal(other.value(), ones({4})));
}
