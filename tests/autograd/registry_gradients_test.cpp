// Every differentiable op of the registry over all of its float64 samples: first and second derivatives
// against finite differences with an error bar.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>

#include "tests/support/op_function.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

struct Checked {
  size_t entries = 0;
  size_t nonzero = 0;
  std::set<int> operands;          // those whose derivative was compared
  std::set<int> nonzero_operands;  // those with a derivative other than 0
};

// Runs a check and adds to the counts. `operand`: which operand input i of the report is.
template <class Check, class Operand>
void count(const std::string& text, const Check& check, const Operand& operand, Checked& checked) {
  try {
    const Report report = check();
    CHECK_MESSAGE(report.ok(), text << ": " << report.text());
    for (const CheckedEntry& entry : report.entries()) {
      const int i = operand(entry.input);
      ++checked.entries;
      checked.operands.insert(i);
      if (entry.gradient == 0) continue;
      ++checked.nonzero;
      checked.nonzero_operands.insert(i);
    }
  } catch (const Error& error) {
    FAIL_CHECK(text << " threw " << error.what());
  }
}

// The derivatives of an op at one of its samples. Structure has a test of its own.
void check_sample(const OpFunction& f, size_t number, GradcheckOptions options, Checked& checked) {
  options.structure = false;
  count(
      f.text(number), [&] { return gradcheck(f.op(), f.sample(), options); }, [](int i) { return i; },
      checked);
}

// There is no derivative to compare, but its shape must be right and the sweep must run.
void check_empty(const OpFunction& f, size_t number) {
  INFO(f.text(number));
  if (f.variables().empty()) return;
  Tape tape;
  const std::vector<Tensor> x = watch_all(tape, f.variables());
  const std::vector<Tensor> g = gradients_of(tape, f, x, 1, false);
  for (size_t v = 0; v < x.size(); ++v) {
    CHECK(g[v].shape() == x[v].shape());
    CHECK(g[v].dtype() == x[v].dtype());
  }
}

bool has_output(const OpFunction& f) { return f.joined(f.variables()).numel() > 0; }

}  // namespace

TEST_CASE("autograd/registry_gradients: an op has a VJP or says why not") {
  for (const Op* op : all_ops()) {
    INFO(std::string(op->name));
    CHECK((op->vjp == nullptr) == (op->flags.non_differentiable != nullptr));
    CHECK(bool(op->shape));
    CHECK(bool(op->cost));
    CHECK(bool(op->samples));
    CHECK_FALSE(op->doc.empty());
    CHECK(find_op(op->name) == op);  // names are unique
  }
}

TEST_CASE("autograd/registry_gradients: gradients agree with finite differences") {
  for (const Op* op : all_ops()) {
    if (op->vjp == nullptr) continue;
    const Samples samples = samples_of(*op);
    Checked checked;
    std::set<int> floating;
    for (size_t i = 0; i < samples.samples().size(); ++i) {
      const OpFunction f(*op, samples.samples()[i]);
      for (size_t v = 0; v < f.variables().size(); ++v) floating.insert(f.operand(v));
      if (f.elements() == 0 || !has_output(f)) {
        check_empty(f, i);
        continue;
      }
      check_sample(f, i, {}, checked);
    }
    INFO(std::string(op->name));
    CHECK(checked.entries > 0);
    CHECK(checked.operands == floating);
    // A derivative that is 0 everywhere proves nothing, unless the op says that it is.
    CHECK((checked.nonzero > 0) == !op->flags.zero_gradient);
    // ln b has an operand a beside b, since kernels of one op take the same operands.
    if (op->name == "xlogy_backward_a") floating.erase(1);
    if (!op->flags.zero_gradient && !op->flags.jump) CHECK(checked.nonzero_operands == floating);
  }
}

TEST_CASE("autograd/registry_gradients: second derivatives agree with finite differences") {
  for (const Op* op : all_ops()) {
    if (op->vjp == nullptr) continue;
    const Samples samples = samples_of(*op);
    Checked checked;
    for (size_t i = 0; i < samples.samples().size(); ++i) {
      const OpFunction f(*op, samples.samples()[i]);
      if (f.elements() == 0 || !has_output(f)) continue;
      check_sample(f, i, {.max_entries = 24, .second_order = true}, checked);
    }
    INFO(std::string(op->name));
    CHECK(checked.entries > 0);
  }
}

TEST_CASE("autograd/registry_gradients: the second-order check sees nonlinearity") {
  // What would be 0 if the check were vacuous: these ops bend.
  for (const char* name : {"mul",
                           "div",
                           "pow",
                           "square",
                           "exp",
                           "log",
                           "sqrt",
                           "tanh",
                           "sigmoid",
                           "rsqrt",
                           "log10",
                           "xlogy",
                           "logaddexp",
                           "acosh",
                           "erfc",
                           "gelu",
                           "gelu_backward",
                           "logsumexp",
                           "softmax",
                           "log_softmax",
                           "matmul",
                           "linear",
                           "mse_loss",
                           "cross_entropy",
                           "binary_cross_entropy",
                           "binary_cross_entropy_with_logits",
                           "huber_loss",
                           "kl_div",
                           "tanh_backward",
                           "sigmoid_backward",
                           "pow_backward_x",
                           "pow_backward_p",
                           "softmax_backward"}) {
    const Op* op = find_op(name);
    INFO(name);
    REQUIRE(op != nullptr);
    const Samples samples = samples_of(*op);
    Checked checked;
    for (size_t i = 0; i < samples.samples().size(); ++i) {
      const OpFunction f(*op, samples.samples()[i]);
      if (f.elements() == 0 || f.elements() > 30 || !has_output(f)) continue;
      check_sample(f, i, {.max_entries = 4, .second_order = true}, checked);
    }
    CHECK(checked.nonzero > 0);
  }
}

namespace {

// Samples whose operands have shapes that differ in the registry, so that sharing needs a case of its own.
std::vector<Sample> shared_extras(const Op& op, Samples& draw) {
  const auto options = draw.samples().empty() ? OptionsBox() : draw.samples()[0].options;
  auto sample = [&](std::vector<Tensor> inputs) { return Sample{std::move(inputs), options}; };
  if (op.name == "cat") {
    const Tensor x = draw.normal({3});
    return {sample({x, x})};
  }
  if (op.name == "index_add" || op.name == "scatter_add") {
    // The options of the first sample: dim 0.
    const Sample& first = draw.samples()[op.name == "index_add" ? 0 : 1];
    return {{{draw.normal({4}), tensor({2, 0, 2, 1}), draw.normal({4})}, first.options}};
  }
  return {};
}

}  // namespace

TEST_CASE("autograd/registry_gradients: one tensor in two operands collects both contributions") {
  // With g and both operands one tensor these are ±x²/2x²: differences see nothing but rounding.
  const std::set<std::string_view> constant_if_shared = {"atan2_backward_a", "atan2_backward_b"};
  for (const Op* op : all_ops()) {
    if (op->vjp == nullptr || constant_if_shared.contains(op->name)) continue;
    Samples samples = samples_of(*op);
    std::vector<Sample> cases = samples.samples();
    for (Sample& extra : shared_extras(*op, samples)) cases.push_back(extra);
    Checked checked;
    bool several = false;
    for (size_t i = 0; i < cases.size(); ++i) {
      several |= OpFunction(*op, cases[i]).variables().size() > 1;
      const OpFunction f(*op, cases[i], /*repeated=*/true);
      if (!f.shares() || f.elements() == 0 || !has_output(f)) continue;
      const auto shared = [&] {
        return gradcheck([&](std::span<const Tensor> x) { return f.joined(x); }, f.variables(),
                         {.max_entries = 24, .structure = false, .expected = {.zero_gradient = true}});
      };
      count(
          f.text(i), shared, [&](int v) { return f.operand(static_cast<size_t>(v)); }, checked);
    }
    INFO(std::string(op->name));
    if (several) CHECK(checked.entries > 0);
  }
}
