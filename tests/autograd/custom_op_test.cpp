// Ops that users write: pointwise formulas with and without a closed derivative, of one to three operands,
// against the same formula composed of public functions, up to third order.

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "tests/support/op_function.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

struct Gauss {
  static constexpr auto name = "gauss", doc = "y = e^(−x²)";
  static auto f(auto x) {
    using namespace math;
    return exp(-x * x);
  }
};
struct GaussClosed {
  static constexpr auto name = "gauss_closed", doc = "y = e^(−x²), with its derivative in closed form";
  static auto f(auto x) {
    using namespace math;
    return exp(-x * x);
  }
  static auto df(auto x, auto y) { return -2.0 * x * y; }
};
struct Mish {
  static constexpr auto name = "mish", doc = "y = x·tanh(ln(1 + e^x))";
  static auto f(auto x) {
    using namespace math;
    return x * tanh(maximum(x, 0.0 * x) + log(1.0 + exp(-abs(x))));
  }
};
struct Leaky {
  static constexpr auto name = "leaky", doc = "y = x > 0 ? x : x/10";
  static constexpr Flags flags = {.kinks = true};
  static auto f(auto x) {
    using namespace math;
    return where(x > 0.0, x, 0.1 * x);
  }
};
struct Ratio {
  static constexpr auto name = "ratio", doc = "y = a/(1 + b²)";
  static auto f(auto a, auto b) {
    using namespace math;
    return a / (1.0 + square(b));
  }
};
struct Blend {
  static constexpr auto name = "blend", doc = "y = c·a + (1 − c)·√b";
  static constexpr Domain domain = {0.2, 2};
  static auto f(auto a, auto b, auto c) {
    using namespace math;
    return c * a + (1.0 - c) * sqrt(b);
  }
};
struct Angles {
  static constexpr auto name = "angles", doc = "sines, tangents and their inverses";
  static constexpr Domain domain = {-0.9, 0.9};
  static auto f(auto x) {
    using namespace math;
    return sin(3.0 * x) * cos(x) + tan(x) * atan(2.0 * x) - asin(x) * acos(0.5 * x);
  }
};
struct Polar {
  static constexpr auto name = "polar", doc = "y = the length of (a, b) times its angle";
  static constexpr Domain domain = {0.2, 2};
  static auto f(auto a, auto b) {
    using namespace math;
    return hypot(a, b) * atan2(a, b);
  }
};
struct Power {
  static constexpr auto name = "power", doc = "y = a^b·sigmoid(a) − min(a, b)";
  static constexpr Domain domain = {0.2, 2};
  static auto f(auto a, auto b) {
    using namespace math;
    return pow(a, b) * sigmoid(a) - minimum(a, b) + relu(b - 0.5 * a);
  }
};

struct Exponentials {
  static constexpr auto name = "exponentials", doc = "y = a sum of exponentials and logarithms";
  static constexpr Domain domain = {0.3, 2};
  static auto f(auto a, auto b) {
    using namespace math;
    return reciprocal(a) * rsqrt(b) + exp2(a) - expm1(b) * log2(a) + log10(b) / log1p(a) + xlogy(a, b) +
           logaddexp(a, b);
  }
};
struct Hyperbolic {
  static constexpr auto name = "hyperbolic", doc = "y = a sum of hyperbolic and error functions";
  static constexpr Domain domain = {-0.7, 0.7};
  static auto f(auto x) {
    using namespace math;
    return sinh(x) * cosh(x) - asinh(x) / acosh(2.0 + x) + atanh(x) * erf(x) + erfc(x);
  }
};

// The same formula on tensors.
template <class F, size_t... K>
Tensor composed(std::span<const Tensor> x, std::index_sequence<K...>) {
  return F::f(x[K]...);
}

template <class F, int Count>
void check_formula() {
  const Op& op = tapegrad::op<F>;
  INFO(std::string(op.name));
  CHECK(op.min_inputs == Count);
  const Samples samples = samples_of(op);
  size_t checked = 0;
  for (size_t i = 0; i < samples.samples().size(); ++i) {
    const OpFunction f(op, samples.samples()[i]);
    INFO(f.text(i));
    // Values: the bits of the composed ops.
    const Tensor y = f.joined(f.variables());
    const Tensor expected = composed<F>(f.variables(), std::make_index_sequence<Count>{});
    CHECK(same_bits(y, expected));
    if (y.numel() == 0) continue;
    // Gradients against the composed ops' and against differences, first and second order.
    const Tensor c = Rng(2).normal(y.shape(), float64);
    Tape tape;
    const std::vector<Tensor> x = watch_all(tape, f.variables());
    const Gradients g = tape.gradient(f.joined(x), c);
    const Gradients h = tape.gradient(composed<F>(x, std::make_index_sequence<Count>{}), c);
    for (const Tensor& v : x) CHECK(allclose(g[v], h[v], 1e-12, 1e-13));
    const Report first = gradcheck(op, samples.samples()[i]);
    CHECK_MESSAGE(first.ok(), first.text());
    const Report second = gradcheck(op, samples.samples()[i], {.max_entries = 24, .second_order = true});
    CHECK_MESSAGE(second.ok(), second.text());
    checked += first.entries().size();
  }
  CHECK(checked > 100);
}

template <class F, int I>
void check_backward_op() {
  const Op& op = tapegrad::op<detail::FormulaBackward<F, I>>;
  const Samples samples = samples_of(op);
  size_t checked = 0;
  for (size_t i = 0; i < samples.samples().size(); ++i) {
    const OpFunction f(op, samples.samples()[i]);
    INFO(f.text(i));
    if (f.elements() == 0 || f.elements() > 100 || f.joined(f.variables()).numel() == 0) continue;
    const Report first = gradcheck(op, samples.samples()[i]);
    CHECK_MESSAGE(first.ok(), first.text());
    const Report second = gradcheck(op, samples.samples()[i], {.second_order = true});
    CHECK_MESSAGE(second.ok(), second.text());
    checked += first.entries().size();
  }
  CHECK(checked > 10);
}

}  // namespace

TEST_CASE("autograd/custom_op: formulas agree with composed ops and with differences") {
  check_formula<Gauss, 1>();
  check_formula<GaussClosed, 1>();
  check_formula<Mish, 1>();
  check_formula<Leaky, 1>();
  check_formula<Ratio, 2>();
  check_formula<Blend, 3>();
  check_formula<Power, 2>();
  check_formula<Angles, 1>();
  check_formula<Polar, 2>();
  check_formula<Exponentials, 2>();
  check_formula<Hyperbolic, 1>();
}

TEST_CASE("autograd/custom_op: their backward ops are ops too") {
  CHECK(op<detail::FormulaBackward<Gauss, 0>>.name == "gauss_backward");
  CHECK(op<detail::FormulaBackward<Blend, 2>>.name == "blend_backward_c");
  check_backward_op<Gauss, 0>();
  check_backward_op<GaussClosed, 0>();
  check_backward_op<Mish, 0>();
  check_backward_op<Ratio, 0>();
  check_backward_op<Ratio, 1>();
  check_backward_op<Blend, 0>();
  check_backward_op<Blend, 1>();
  check_backward_op<Blend, 2>();
  check_backward_op<Power, 0>();
  check_backward_op<Power, 1>();
  check_backward_op<Angles, 0>();
  check_backward_op<Polar, 0>();
  check_backward_op<Polar, 1>();
}

TEST_CASE_TEMPLATE("autograd/custom_op: first, second and third derivatives", F, Gauss, GaussClosed) {
  for (double at : {-1.3, 0.0, 0.4, 2.0}) {
    INFO("at " << at);
    Tape tape;
    const Tensor x = tape.watch(full({}, at, float64));
    const Tensor y = apply(op<F>, {x});
    const Tensor d1 = tape.gradient(y, {.differentiable = true})[x];
    const Tensor d2 = tape.gradient(d1, {.differentiable = true})[x];
    const Tensor d3 = tape.gradient(d2)[x];
    const double e = std::exp(-at * at);
    CHECK(d1.item() == doctest::Approx(-2 * at * e).epsilon(1e-13));
    CHECK(d2.item() == doctest::Approx((4 * at * at - 2) * e).epsilon(1e-13));
    CHECK(d3.item() == doctest::Approx((12 * at - 8 * at * at * at) * e).epsilon(1e-13));
  }
}

TEST_CASE("autograd/custom_op: float32, parameters and numbers as operands") {
  const Parameter a(Rng(1).normal({300, 7}));
  Tape tape;
  const Tensor y = apply(op<Ratio>, {a, 2.0});
  CHECK(y.dtype() == float32);
  CHECK(allclose(y, a / 5.0, 1e-6));
  CHECK(allclose(tape.gradient(sum(y))[a], full({300, 7}, 0.2), 1e-6));
  CHECK_THROWS_AS(apply(op<Ratio>, {a, zeros({4})}), ShapeError);
  CHECK_THROWS_AS(apply(op<Ratio>, {a, zeros({7}, float64)}), DTypeError);
  CHECK_THROWS_AS(apply(op<Gauss>, {tensor({1, 2})}), DTypeError);
}

TEST_CASE("autograd/custom_op: kinks and poles") {
  Tape tape;
  const Tensor x = tape.watch(tensor({-2.0, 3.0}, float64));
  CHECK(allclose(tape.gradient(apply(op<Leaky>, {x}), ones({2}, float64))[x], tensor({0.1, 1.0}, float64),
                 1e-15));
  // √b at 0: nothing passes where the cotangent is 0, everything elsewhere.
  const Tensor b = tape.watch(zeros({2}, float64));
  const Tensor y = apply(op<Blend>, {x, b, 0.5});
  const Tensor g = tape.gradient(y, tensor({0.0, 1.0}, float64))[b];
  CHECK(g[0].item() == 0);
  CHECK(std::isinf(g[1].item()));
}

TEST_CASE("autograd/custom_op: an op record has all its parts") {
  CHECK(op<Gauss>.name == "gauss");
  CHECK(op<Gauss>.doc == "y = e^(−x²)");
  CHECK(op<Leaky>.flags.kinks);
  CHECK(op<Blend>.operands.size() == 3);
  CHECK_FALSE(samples_of(op<Gauss>).errors().empty());
  const Samples samples = samples_of(op<Ratio>);
  for (const ErrorSample& bad : samples.errors()) {
    CHECK_THROWS_AS(run(op<Ratio>, bad.inputs, bad.options.ref()), Error);
  }
}
