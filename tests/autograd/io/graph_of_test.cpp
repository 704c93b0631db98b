// A tape written out as a graph, read back and run: the same values and gradients, bit for bit.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "autograd/autograd.h"
#include "autograd/io/graph.h"
#include "autograd/samples.h"
#include "tests/support/op_function.h"
#include "tests/support/test_op.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

// y = 2x, and beside it what the VJP multiplies by.
struct Keeping : DoublingOp {
  static constexpr std::string_view name = "keeping";
  static constexpr int results = 1;
  static void shape(Call& call) {
    DoublingOp::shape(call);
    call.output(call.dtype(0), call.shape(0));
  }
  static void forward(Call& call) {
    DoublingOp::forward(call);
    for (int64_t i = 0; i < call.numel(0); ++i) call.out_data<double>(1)[i] = 2;
  }
  static void vjp(Vjp& v) { v.add(0, mul(v.g(), v.output(1))); }
};

// Writes the graph, reads it back, and runs it: all of its outputs have the same bits, and so have the
// gradients that it lists. Returns it as read.
Graph check_round_trip(Tape& tape, const std::vector<Tensor>& outputs,
                       const std::vector<Tensor>& cotangents = {}) {
  const Graph written = graph_of(tape, outputs, cotangents);
  const std::string text = to_json(written);
  CAPTURE(text);
  Graph read = parse_graph(text);
  CHECK(to_json(read) == text);
  const GraphResult result = read.run();
  REQUIRE(result.outputs.size() == outputs.size());
  for (size_t k = 0; k < outputs.size(); ++k) CHECK(same_bits(result.outputs[k], outputs[k]));
  std::vector<Tensor> seeds = cotangents;
  if (seeds.empty()) seeds.resize(outputs.size());
  const Gradients g = tape.gradient(outputs, seeds);
  CHECK(read.grads.size() == g.size());
  // Entries of both in the order in which the tape first used the leaves would be no promise; every gradient
  // of the sweep is one of the file's.
  for (const Gradients::Entry& entry : g.entries()) {
    bool found = false;
    for (const Graph::Grad& grad : read.grads) {
      found = found || same_bits(result.gradients[static_cast<size_t>(grad.input)], entry.gradient);
    }
    CHECK(found);
  }
  for (const GraphDifference& difference : read.check()) FAIL_CHECK(difference.text());
  return read;
}

}  // namespace

TEST_CASE("autograd/io/graph_of: a network, its loss and its parameters by name") {
  Rng rng(3);
  for (DType dtype : {float32, float64}) {
    const Parameter w(rng.normal({4, 3}, dtype), "layer.weight"), b(rng.normal({4}, dtype), "layer.bias");
    Tape tape;
    const Tensor x = rng.normal({5, 3}, dtype);
    const Tensor hidden = tanh(linear(x, w, b) * 0.5 + 1);
    const Tensor loss =
        cross_entropy(hidden, rng.integers({5}, 0, 4)) + mse_loss(hidden, zeros({5, 4}, dtype));
    const Graph graph = check_round_trip(tape, {loss});
    std::vector<std::string> names;
    for (const Graph::Input& input : graph.inputs) {
      if (input.grad) names.push_back(input.name);
    }
    CHECK(names == std::vector<std::string>{"layer.weight", "layer.bias"});
    // What the losses keep for the sweep is not in the file.
    for (const Graph::Node& node : graph.nodes) CHECK(node.outputs.size() == 1);
  }
}

TEST_CASE("autograd/io/graph_of: every op of the library at each of its samples") {
  Rng rng(11);
  int cases = 0;
  for (const Op* op : all_ops()) {
    for (DType dtype : {float32, float64}) {
      size_t number = 0;
      const Samples samples = samples_of(*op, dtype);
      for (const Sample& sample : samples.samples()) {
        const OpFunction f(*op, sample);
        CAPTURE(f.text(number++));
        Tape tape;
        const std::vector<Tensor> x = watch_all(tape, f.variables());
        std::vector<Tensor> outputs, cotangents;
        for (const Tensor& y : f.outputs(x)) {
          if (!is_floating(y.dtype()) || !recorded(tape, y)) continue;
          outputs.push_back(y);
          cotangents.push_back(rng.normal(y.shape(), y.dtype()));
        }
        if (outputs.empty()) continue;
        check_round_trip(tape, outputs, cotangents);
        ++cases;
      }
    }
  }
  CHECK(cases > 500);
}

TEST_CASE("autograd/io/graph_of: numbers, constants, repeated operands, several outputs") {
  Tape tape;
  const Tensor x = tape.watch(tensor({{0.1, -0.2}, {0.3, -0.0}}, float64));
  const Tensor odd = tensor({1.0 / 3, -0.0, 5e-324, 1.7976931348623157e308}, float64);
  const Tensor y = 0.1 * x * x + 7;
  const Tensor mask = gt(x, 0.05);
  const Tensor z = where(mask, y, 0.25) + reshape(odd, {2, 2}) * 1e-310;
  const auto [values, indices] = max(z * reshape(odd, {2, 2}), 1);
  const std::vector<Tensor> parts = split(z, 1, 1);
  const Graph graph = check_round_trip(tape, {values, parts[1], values, x},
                                       {ones({2}, float64), tensor({{0.5}, {-2.0}}, float64),
                                        tensor({-1.0, 3.0}, float64), ones({2, 2}, float64)});
  int constants = 0;
  for (const Graph::Input& input : graph.inputs) constants += !input.grad;
  CHECK(constants == 6);  // 0.1, 7, the mask, 0.25, odd·1e-310, odd
  for (const Graph::Node& node : graph.nodes) {
    if (node.op->name == "max") CHECK(node.outputs.size() == 2);
    if (node.op->name == "split") CHECK(node.outputs.size() == 2);
  }
}

TEST_CASE("autograd/io/graph_of: one constant used twice is one input") {
  Tape tape;
  const Tensor x = tape.watch(ones({3}));
  const Tensor c = tensor({1.0, 2.0, 3.0});
  const Graph graph = check_round_trip(tape, {sum(x * c + c)});
  CHECK(graph.inputs.size() == 2);
}

TEST_CASE("autograd/io/graph_of: infinities and NaN") {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  Tape tape;
  const Tensor x = tape.watch(tensor({kInf, -kInf, std::nan(""), 0.0}, float64));
  const Tensor y = norm(x * tensor({1.0, 1.0, 1.0, -kInf}, float64), kInf);
  const Graph graph = parse_graph(to_json(graph_of(tape, {&y, 1})));
  CHECK(graph.check().empty());
  CHECK(std::isinf(graph.inputs[0].value.data<double>()[1]));
  CHECK(std::isnan(graph.run().outputs[0].item()));
}

TEST_CASE("autograd/io/graph_of: only what the outputs depend on") {
  Tape tape;
  const Tensor x = tape.watch(ones({2})), other = tape.watch(ones({2}));
  const Tensor unused = exp(other);
  const Tensor y = sum(x * 2);
  const Graph graph = check_round_trip(tape, {y});
  CHECK(graph.nodes.size() == 2);
  CHECK(graph.inputs.size() == 2);
  CHECK(unused.defined());
}

TEST_CASE("autograd/io/graph_of: a gradient that was recorded") {
  Rng rng(5);
  Tape tape;
  const Tensor x = tape.watch(rng.normal({3, 2}, float64)), t = tape.watch(rng.normal({3, 2}, float64));
  const Tensor slope = tape.gradient(mse_loss(tanh(x), t), {.differentiable = true})[x];
  check_round_trip(tape, {sum(slope * slope)});
}

TEST_CASE("autograd/io/graph_of: what an op keeps for its VJP is written where a recorded gradient uses it") {
  Tape tape;
  const Tensor x = tape.watch(tensor({1.0, 2.0}, float64));
  const Tensor y = apply(op<Keeping>, {x});
  CHECK(graph_of(tape, {&y, 1}, std::vector{ones({2}, float64)}).nodes[0].outputs.size() == 1);
  const Tensor slope = tape.gradient(sum(y * y), {.differentiable = true})[x];
  const Tensor z = sum(slope);
  CHECK(graph_of(tape, {&z, 1}).nodes[0].outputs.size() == 2);
}

TEST_CASE("autograd/io/graph_of: awkward and repeated names stay apart") {
  const Parameter a(ones({}), "w\"\\\n\x01é"), b(full({}, 2), "v0"), c(full({}, 3), "v0"), d(full({}, 4));
  Tape tape;
  const Graph graph = check_round_trip(tape, {(a * b + c) * d + 1.5});
  CHECK(graph.inputs[0].name == "w\"\\\n\x01é");
  CHECK(graph.inputs.size() == 5);
}

TEST_CASE("autograd/io/graph_of: what cannot be written") {
  const Parameter w(ones({2}), "w");
  Tape tape;
  const Tensor y = w * 2.0;
  const auto fault = [&](auto f) { return message_of([&] { f(); }); };
  CHECK(fault([&] {
          graph_of(tape, {&y, 1});
        }).find("expected one element or a cotangent") != std::string::npos);
  const Tensor constant = ones({});
  CHECK(fault([&] { graph_of(tape, {&constant, 1}); }).find("did not record") != std::string::npos);
  const Tensor loss = sum(y);
  assign(w.ref(), zeros({2}));
  CHECK(fault([&] { graph_of(tape, {&loss, 1}); }).find("\"w\" changed since") != std::string::npos);
}
