// Rows of ops that are looked up by name, with their options by name. Where an op may not be there yet its
// row is skipped, with a message, only while there is no such op.

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "autograd/samples.h"
#include "tests/support/faults.h"
#include "tests/support/op_function.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

const Op& required(const char* name) {
  const Op* op = find_op(name);
  REQUIRE_MESSAGE(op != nullptr, std::string(name));
  return *op;
}

const Op* op_or_skip(const char* name, const char* row) {
  const Op* op = find_op(name);
  if (op == nullptr) MESSAGE("skipped: no op " << std::string(name) << " for " << std::string(row));
  return op;
}

// Sets fields of an options struct by name.
class Setter final : public PassingVisitor {
 public:
  explicit Setter(const std::map<std::string, double, std::less<>>& values) : values_(values) {}
  using PassingVisitor::field;
  void field(std::string_view name, bool& value) override { set(name, value); }
  void field(std::string_view name, int64_t& value) override { set(name, value); }
  void field(std::string_view name, double& value) override { set(name, value); }
  void field(std::string_view name, std::optional<int64_t>& value) override { set(name, value); }
  void field(std::string_view name, std::optional<double>& value) override { set(name, value); }
  void choice(std::string_view name, int32_t& value, std::span<const std::string_view>) override {
    set(name, value);
  }

  size_t taken = 0;

 private:
  template <class T>
  void set(std::string_view name, T& value) {
    const auto found = values_.find(name);
    if (found == values_.end()) return;
    if constexpr (std::is_arithmetic_v<T>) value = static_cast<T>(found->second);
    else value = static_cast<typename T::value_type>(found->second);
    ++taken;
  }
  const std::map<std::string, double, std::less<>>& values_;
};

OptionsBox options_of(const Op& op, const std::map<std::string, double, std::less<>>& values) {
  if (op.options == nullptr) return {};
  OptionsBox box(op.options);
  Setter setter(values);
  op.options->visit(const_cast<void*>(box.ref().data), setter);
  INFO(std::string(op.name));
  CHECK(setter.taken == values.size());
  return box;
}

using Settings = std::map<std::string, double, std::less<>>;
constexpr double kMean = static_cast<double>(Reduction::mean), kSum = static_cast<double>(Reduction::sum),
                 kNone = static_cast<double>(Reduction::none);

// Value and gradients (of those operands that are floating) of Σ c·op(inputs).
struct Outcome {
  Tensor y;
  std::vector<Tensor> g;
};
Outcome outcome(const Op& op, const std::vector<Tensor>& inputs, const Settings& settings = {},
                const Tensor& c = {}) {
  const OptionsBox options = options_of(op, settings);
  Tape tape;
  const std::vector<Tensor> x = watch_all(tape, inputs);
  Outcome result{run(op, x, options.ref())[0], {}};
  const Tensor cotangent = c.defined() ? c : ones(result.y.shape(), result.y.dtype());
  if (!recorded(tape, result.y)) return result;
  const Gradients g = tape.gradient(result.y, cotangent);
  for (const Tensor& v : x) result.g.push_back(is_floating(v.dtype()) ? g.get_or_zeros(v) : Tensor());
  return result;
}

bool finite(const Tensor& x) {
  for (double v : cast(x, float64).to_vector<double>()) {
    if (!std::isfinite(v)) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("faults/pending: FAULTS 43: a target outside the classes") {
  for (const char* name : {"cross_entropy", "nll_loss"}) {
    const Op& op = required(name);
    const Tensor x = zeros({3, 4});
    for (int64_t bad : {int64_t{4}, int64_t{-1}, INT64_MIN}) {
      const Tensor target = from_vector(std::vector<int64_t>{0, bad, 3}, {3});
      op_refuses<IndexError>(name,
                             [&] {
                               run(op, std::vector<Tensor>{x, target}, {});
                             },
                             {"target " + std::to_string(bad), "row 1", "[0, 4)"});
    }
  }
}

TEST_CASE("faults/pending: FAULTS 44: every target ignored") {
  for (const char* name : {"cross_entropy", "nll_loss"}) {
    const Op& op = required(name);
    const Tensor x = Rng(44).normal({3, 4}, float64), target = full({3}, 7, int64);
    const Outcome mean = outcome(op, {x, target}, {{"ignore_index", 7}, {"reduction", kMean}});
    CHECK(std::isnan(mean.y.item()));
    CHECK(equal(mean.g[0], zeros({3, 4}, float64)));
    const Outcome sum = outcome(op, {x, target}, {{"ignore_index", 7}, {"reduction", kSum}});
    CHECK(sum.y.item() == 0);
    CHECK(equal(sum.g[0], zeros({3, 4}, float64)));
  }
}

TEST_CASE("faults/pending: FAULTS 71: hardtanh blocks at its edges, clamp passes") {
  const Tensor x = list({-1, 1, 0.5, 2});
  const Outcome blocked = outcome(required("hardtanh"), {x}, {{"min_val", -1}, {"max_val", 1}});
  CHECK(equal(blocked.y, list({-1, 1, 0.5, 1})));
  CHECK(equal(blocked.g[0], list({0, 0, 1, 0})));
  const Outcome passed = outcome(required("clamp"), {x}, {{"min", -1}, {"max", 1}});
  CHECK(equal(passed.y, list({-1, 1, 0.5, 1})));
  CHECK(equal(passed.g[0], list({1, 1, 1, 0})));
}

TEST_CASE("faults/pending: FAULTS 72: rsqrt at 0") {
  const Op* op = op_or_skip("rsqrt", "FAULTS 72");
  if (op == nullptr) return;
  const Outcome at = outcome(*op, {list({0, 4})});
  CHECK(equal(at.y, list({kInf, 0.5})));
  CHECK(equal(at.g[0], list({-kInf, -0.0625})));
  CHECK(equal(outcome(*op, {list({0, 4})}, {}, list({0, 0})).g[0], list({0, 0})));
}

TEST_CASE("faults/pending: FAULTS 74: softplus far out") {
  const Op& op = required("softplus");
  const Outcome at = outcome(op, {list({1000, -1000})});
  CHECK(equal(at.y, list({1000, 0})));
  CHECK(equal(at.g[0], list({1, 0})));
}

TEST_CASE("faults/pending: FAULTS 75: gelu and silu at the infinities are their limits") {
  for (const char* name : {"gelu", "silu", "mish"}) {
    const Op* op = name == std::string("gelu") ? op_or_skip(name, "FAULTS 75") : &required(name);
    if (op == nullptr) continue;
    INFO(name);
    const Outcome at = outcome(*op, {list({kInf, -kInf})});
    CHECK(equal(at.y, list({kInf, 0})));
    CHECK(equal(at.g[0], list({1, 0})));
  }
}

TEST_CASE("faults/pending: FAULTS 84: logaddexp of two equal huge numbers, and of nothing") {
  const Op* op = op_or_skip("logaddexp", "FAULTS 84");
  if (op == nullptr) return;
  const Outcome huge = outcome(*op, {list({1e50, 3}), list({1e50, 3})});
  CHECK(huge.y[0].item() == 1e50);
  CHECK(huge.y[1].item() == doctest::Approx(3 + std::log(2.0)).epsilon(1e-15));
  CHECK(equal(huge.g[0], list({0.5, 0.5})));
  CHECK(equal(huge.g[1], list({0.5, 0.5})));
  const Outcome none = outcome(*op, {list({-kInf, -kInf}), list({-kInf, 2})});
  CHECK(equal(none.y, list({-kInf, 2})));
  CHECK(none.g[0][1].item() == 0);
  CHECK(none.g[1][1].item() == 1);
}

TEST_CASE("faults/pending: FAULTS 86: binary cross entropy of logits at ±1e4") {
  const Op& op = required("binary_cross_entropy_with_logits");
  const Tensor x = list({1e4, -1e4, 1e4, -1e4}), t = list({1, 0, 0, 1});
  const Outcome at = outcome(op, {x, t}, {{"reduction", kNone}});
  CHECK(allclose(at.y, list({0, 0, 1e4, 1e4}), 8 * 0x1p-53, 0));
  CHECK(allclose(at.g[0], list({0, 0, 1, -1}), 8 * 0x1p-53, 0));
}

TEST_CASE("faults/pending: FAULTS 87: binary cross entropy of a certain error") {
  const Op& op = required("binary_cross_entropy");
  const Outcome at = outcome(op, {list({0, 1}), list({1, 0})}, {{"reduction", kNone}});
  CHECK(equal(at.y, list({100, 100})));
  CHECK(finite(at.g[0]));
}

TEST_CASE("faults/pending: FAULTS 89: xlogy, hypot and atan2 of zeros") {
  for (const char* name : {"xlogy", "hypot", "atan2"}) {
    const Op* op = op_or_skip(name, "FAULTS 89");
    if (op == nullptr) continue;
    INFO(name);
    const Outcome at = outcome(*op, {list({0}), list({0})});
    CHECK(at.y.item() == 0);
    // What the gradients are is the op's to say.
    CHECK_FALSE(samples_of(*op).conventions().empty());
  }
}

TEST_CASE("faults/pending: FAULTS 90: round goes half to even and has gradient 0") {
  const Op& op = required("round");
  const Outcome at = outcome(op, {list({0.5, 1.5, 2.5, -0.5, -1.5, 2.6})});
  CHECK(equal(at.y, list({0, 2, 2, 0, -2, 3})));
  CHECK(std::signbit(at.y[3].item()));
  CHECK(equal(at.g[0], zeros({6}, float64)));
}

// FAULTS 19 FAULTS 20 FAULTS 21 FAULTS 22 FAULTS 23 FAULTS 24 FAULTS 25: convolution, pooling, normalisation.
TEST_CASE("faults/pending: FAULTS 19 to 25 need tests of their own as soon as their ops exist") {
  for (const char* name : {"conv1d", "conv2d", "conv_transpose2d", "max_pool2d", "avg_pool2d",
                           "adaptive_avg_pool2d", "batch_norm", "layer_norm", "rms_norm", "group_norm"}) {
    CHECK_MESSAGE(find_op(name) == nullptr, name << " exists: test its rows of FAULTS 19 to 25");
  }
}
