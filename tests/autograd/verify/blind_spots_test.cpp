// What the usual rules miss, and where they raise a false alarm.

#include <doctest/doctest.h>

#include <cmath>

#include "tests/support/planted.h"
#include "tests/support/usual_rules.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

// A call of an op with a planted fault.
Function broken(const PlantedOp& op) {
  return [&op](std::span<const Tensor> x) {
    std::vector<Arg> args(x.begin(), x.end());
    return tapegrad::apply(op, std::span<const Arg>(args));
  };
}

bool verifier(const Function& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options = {}) {
  return gradcheck(f, inputs, options).ok();
}

const Tensor& positive() {
  static const Tensor x = Rng(1).uniform({3, 4}, 0.5, 2, float64);
  return x;
}

// y = 5e-6·sin-like, with the gradient forgotten.
struct Tiny {
  static constexpr std::string_view name = "tiny", doc = "y = 5e-6·tanh x";
  static auto f(auto x) {
    using namespace math;
    return tanh(x) * 5e-6;
  }
  static auto df(auto x, auto) { return x * 0.0; }
};

}  // namespace

TEST_CASE("autograd/verify/blind_spots: a factor 1 + 9e-4 passes rtol 1e-3, and not here") {
  const PlantedOp op(*find_op("exp"), Fault::thousandth);
  const Function f = broken(op);
  CHECK(torch_rule(f, {{positive()}}));
  CHECK_FALSE(verifier(f, {positive()}));
  const PlantedOp less(*find_op("exp"), Fault::slightly);
  CHECK(torch_rule(broken(less), {{positive()}}));
  CHECK(jax_rule(broken(less), {{positive()}}));
  CHECK_FALSE(verifier(broken(less), {positive()}));
}

TEST_CASE("autograd/verify/blind_spots: a small gradient replaced by 0 passes atol 1e-5, and not here") {
  const Function f = [](std::span<const Tensor> x) { return apply(op<Tiny>, {x[0]}); };
  CHECK(torch_rule(f, {{positive()}}));
  const Report report = gradcheck(f, {positive()});
  CHECK_FALSE(report.ok());
  CHECK(report.worst().verdict == Verdict::disagree);
}

TEST_CASE("autograd/verify/blind_spots: faults that a one-hot cotangent hides") {
  const Op& exp = *find_op("exp");
  for (Fault fault : {Fault::float32_inside, Fault::clamped_cotangent, Fault::absolute_cotangent,
                      Fault::squared_cotangent}) {
    INFO(std::string(name(fault)));
    const PlantedOp op(exp, fault);
    CHECK(torch_rule(broken(op), {{positive()}}));
    CHECK_FALSE(verifier(broken(op), {positive()}));
    // By differences alone as well.
    CHECK_FALSE(verifier(broken(op), {positive()}, {.structure = false}));
  }
}

TEST_CASE("autograd/verify/blind_spots: a sum feeds softmax a cotangent in its null space") {
  const Tensor x = Rng(2).normal({3, 5}, float64);
  const PlantedOp op(*find_op("softmax"), Fault::twice);
  const Function summed = [&](std::span<const Tensor> v) { return sum(apply(op, {v[0]})); };
  // The right gradient and its double are both 0 here: everybody passes a sum.
  CHECK(torch_rule(summed, {{x}}));
  CHECK(jax_rule(summed, {{x}}));
  // The verifier says that nothing was proved, and needs no sum.
  const Report vacuous = gradcheck(summed, {x});
  CHECK_FALSE(vacuous.ok());
  CHECK_FALSE(verifier(broken(op), {x}));
}

TEST_CASE("autograd/verify/blind_spots: no alarm at a kink, near a pole, at large values") {
  const Function kink = [](std::span<const Tensor> x) { return relu(x[0]); };
  const std::vector<Tensor> at_kink = {tensor({-1.0, 0.0, 2.0}, float64)};
  CHECK_FALSE(torch_rule(kink, at_kink));
  const Report report = gradcheck(kink, at_kink);
  CHECK_MESSAGE(report.ok(), report.text());
  CHECK(report.entries()[1].verdict == Verdict::kink_in);

  const Function pole = [](std::span<const Tensor> x) { return log(x[0]); };
  const std::vector<Tensor> near_pole = {tensor({1e-7}, float64)};
  CHECK_FALSE(torch_rule(pole, near_pole));
  CHECK_FALSE(jax_rule(pole, near_pole));
  CHECK(verifier(pole, near_pole));

  // With a fixed step, what rounding leaves of a difference of values near 1e16 is off by more than 1e-3 and
  // is blamed on the gradient.
  const Function large = [](std::span<const Tensor> x) { return x[0] * x[0] - 2e8 * x[0]; };
  const std::vector<Tensor> at_large = {tensor({1e8 + 1.0, 1e8 + 0.3}, float64)};
  CHECK_FALSE(torch_rule(large, at_large));
  const Function square = [](std::span<const Tensor> x) { return x[0] * x[0]; };
  CHECK(verifier(square, {tensor({1e8, -3e8}, float64)}));
}
