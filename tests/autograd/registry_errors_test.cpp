// Every op's error samples throw an Error that names the op and says what is wrong, and leave everything as
// it was.

#include <doctest/doctest.h>

#include <string>

#include "tests/support/op_function.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

// What running the op throws; empty when it does not throw.
std::string message_of(const Op& op, std::span<const Tensor> inputs, OptionsRef options) {
  try {
    run(op, inputs, options);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

bool same_values(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (!same_bits(a[i], b[i])) return false;
  }
  return a.size() == b.size();
}

std::vector<Tensor> copies(std::span<const Tensor> tensors) {
  std::vector<Tensor> result;
  for (const Tensor& x : tensors) {
    result.push_back(from_bytes(x.handle()->data, static_cast<size_t>(x.numel()), x.dtype(), x.shape()));
  }
  return result;
}

}  // namespace

TEST_CASE("autograd/registry_errors: error samples throw and change nothing") {
  for (const Op* op : all_ops()) {
    for (DType dtype : {float32, float64}) {
      const Samples samples = samples_of(*op, dtype);
      CHECK_MESSAGE(!samples.errors().empty(), std::string(op->name) << " has no error sample");
      for (const ErrorSample& bad : samples.errors()) {
        INFO(std::string(op->name) << ", expecting \"" << std::string(bad.gist) << "\"");
        REQUIRE_FALSE(bad.gist.empty());
        Tape tape;
        const std::vector<Tensor> inputs = watch_all(tape, bad.inputs);
        const std::vector<Tensor> before = copies(inputs);
        const size_t records = tape.size();
        const std::string message = message_of(*op, inputs, bad.options.ref());
        INFO(message);
        CHECK(message.find(bad.gist) != std::string::npos);
        CHECK(message.starts_with("[" + std::string(op->name) + "] "));
        CHECK(tape.size() == records);
        CHECK(same_values(inputs, before));
        // The next valid call works, and so does the one that failed fail again.
        const Sample& good = samples.samples()[0];
        CHECK(message_of(*op, watch_all(tape, good.inputs), good.options.ref()).empty());
        CHECK(message_of(*op, inputs, bad.options.ref()) == message);
      }
    }
  }
}

TEST_CASE("autograd/registry_errors: a wrong number of operands is an error") {
  for (const Op* op : all_ops()) {
    INFO(std::string(op->name));
    const Samples samples = samples_of(*op);
    const Sample& good = samples.samples()[0];
    std::vector<Tensor> fewer(good.inputs.begin(), good.inputs.begin() + (op->min_inputs - 1));
    CHECK_THROWS_AS(run(*op, fewer, good.options.ref()), ArgumentError);
    if (op->max_inputs < 0) continue;
    std::vector<Tensor> more = good.inputs;
    while (static_cast<int>(more.size()) <= op->max_inputs) more.push_back(good.inputs[0]);
    CHECK_THROWS_AS(run(*op, more, good.options.ref()), ArgumentError);
  }
}

TEST_CASE("autograd/registry_errors: an undefined operand is an error") {
  for (const Op* op : all_ops()) {
    INFO(std::string(op->name));
    const Samples samples = samples_of(*op);
    const Sample& good = samples.samples()[0];
    for (size_t i = 0; i < good.inputs.size(); ++i) {
      std::vector<Tensor> inputs = good.inputs;
      inputs[i] = Tensor();
      if (static_cast<int>(i) >= op->min_inputs) continue;  // an operand that may be left out
      CHECK_THROWS_AS(run(*op, inputs, good.options.ref()), ArgumentError);
    }
  }
}

TEST_CASE("autograd/registry_errors: mixed dtypes are an error") {
  for (const Op* op : all_ops()) {
    const Samples samples = samples_of(*op);
    for (const Sample& sample : samples.samples()) {
      int floating = 0;
      for (const Tensor& x : sample.inputs) floating += is_floating(x.dtype());
      if (floating < 2) continue;
      for (size_t i = 0; i < sample.inputs.size(); ++i) {
        if (!is_floating(sample.inputs[i].dtype())) continue;
        INFO(std::string(op->name) << ", operand " << i);
        std::vector<Tensor> inputs = sample.inputs;
        inputs[i] = cast(inputs[i], float32);
        CHECK_THROWS_AS(run(*op, inputs, sample.options.ref()), DTypeError);
        const std::string message = message_of(*op, inputs, sample.options.ref());
        CHECK(message.find("cast") != std::string::npos);
      }
    }
  }
}
