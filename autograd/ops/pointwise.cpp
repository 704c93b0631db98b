#include <limits>

#include "autograd/kernels/scalar.h"
#include "autograd/ops.h"
#include "autograd/ops/groups.h"
#include "autograd/ops/lanes_op.h"
#include "autograd/samples.h"

namespace tapegrad {
namespace ops {
namespace {

using kernels::Scalar;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// ---- arithmetic, whose VJPs are other public ops ----

struct Add : PointwiseParts {
  static constexpr std::string_view name = "add", doc = "y = a + b";
  static constexpr Ulp ulp = {0.5, 0.5};
  static constexpr auto operands = detail::operand_names(2);
  static constexpr auto kernels = lanes<Lane::add>(kernels::scalar_kernel(Scalar::add, DType::int64));
  static void vjp(Vjp& v) {
    const Tensor& g = v.g();
    v.add(0, g);
    v.add(1, g);
  }
  static void samples(Samples& s) { detail::pointwise_samples(s, 2, {}); }
};

struct Sub : PointwiseParts {
  static constexpr std::string_view name = "sub", doc = "y = a − b";
  static constexpr Ulp ulp = {0.5, 0.5};
  static constexpr auto operands = detail::operand_names(2);
  static constexpr auto kernels = lanes<Lane::sub>(kernels::scalar_kernel(Scalar::sub, DType::int64));
  static void vjp(Vjp& v) {
    const Tensor& g = v.g();
    v.add(0, g);
    if (v.needs(1)) v.add(1, neg(g));
  }
  static void samples(Samples& s) { detail::pointwise_samples(s, 2, {}); }
};

struct Mul : PointwiseParts {
  static constexpr std::string_view name = "mul", doc = "y = a·b";
  static constexpr Ulp ulp = {0.5, 0.5};
  static constexpr auto operands = detail::operand_names(2);
  static constexpr auto kernels = lanes<Lane::mul>(kernels::scalar_kernel(Scalar::mul, DType::int64));
  static void vjp(Vjp& v) {
    const Tensor& g = v.g();
    if (v.needs(0)) v.add(0, mul(g, v.input(1)));
    if (v.needs(1)) v.add(1, mul(g, v.input(0)));
  }
  static void samples(Samples& s) { detail::pointwise_samples(s, 2, {}); }
};

// g/b at a pole: 0 where g = 0 and 1/b is not finite, exactly g/b elsewhere.
Tensor pole_div(const Arg& g, const Arg& b);

struct PoleDiv : PointwiseParts {
  static constexpr std::string_view name = "pole_div", doc = "y = g/b, but 0 where g = 0 and b is 0 or NaN";
  static constexpr std::string_view operands[] = {"g", "b"};
  static constexpr auto kernels = lanes<Lane::pole_div>();
  static constexpr Flags flags = {.poles = true};
  static void vjp(Vjp& v) {
    const Tensor& g = v.g();
    if (v.needs(0)) v.add(0, pole_div(g, v.input(1)));
    if (v.needs(1)) v.add(1, neg(detail::pole_mul(g, div(v.output(), v.input(1)))));
  }
  static void samples(Samples& s) { detail::pointwise_samples(s, 2, {0.5, 2}); }
};

struct Div : PointwiseParts {
  static constexpr std::string_view name = "div", doc = "y = a / b; 1/0 is infinite, 0/0 NaN";
  static constexpr Ulp ulp = {0.5, 0.5};
  static constexpr Flags flags = {.poles = true};
  static constexpr auto operands = detail::operand_names(2);
  static constexpr auto kernels = lanes<Lane::div>();
  static void vjp(Vjp& v) {
    const Tensor& g = v.g();
    if (v.needs(0)) v.add(0, pole_div(g, v.input(1)));
    // y/b and not a/b²: b² may overflow.
    if (v.needs(1)) v.add(1, neg(detail::pole_mul(g, div(v.output(), v.input(1)))));
  }
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 2, {0.5, 2});
    s.add_convention(
        {.what = "by 0: infinite, 0/0 NaN; the gradients are infinite too, or NaN",
         .inputs = {s.values({1, 1, -1, 0}), s.values({0.0, -0.0, 0.0, 0.0})},
         .value = s.values({kInf, -kInf, -kInf, kNan}),
         .gradients = {s.values({kInf, -kInf, kInf, kInf}), s.values({-kInf, -kInf, kInf, kNan})}});
    s.add_convention({.what = "by 0, where the cotangent is 0: gradients 0",
                      .inputs = {s.values({1, 0}), s.values({0, 0})},
                      .value = s.values({kInf, kNan}),
                      .gradients = {s.values({0, 0}), s.values({-0.0, -0.0})},
                      .cotangent = s.values({0, 0})});
  }
};

struct Neg : PointwiseParts {
  static constexpr std::string_view name = "neg", doc = "y = −x";
  static constexpr Ulp ulp = {0.5, 0.5};
  static constexpr auto operands = detail::operand_names(1);
  static constexpr auto kernels = lanes<Lane::neg>(kernels::scalar_kernel(Scalar::neg, DType::int64));
  static void vjp(Vjp& v) { v.add(0, neg(v.g())); }
  static void samples(Samples& s) { detail::pointwise_samples(s, 1, {}); }
};

struct MulAdd : PointwiseParts {
  static constexpr std::string_view name = "mul_add", doc = "y = a·b + c, rounded twice";
  static constexpr auto operands = detail::operand_names(3);
  static constexpr auto kernels = lanes<Lane::mul_add>();
  static void vjp(Vjp& v) {
    const Tensor& g = v.g();
    if (v.needs(0)) v.add(0, mul(g, v.input(1)));
    if (v.needs(1)) v.add(1, mul(g, v.input(0)));
    v.add(2, g);
  }
  static void samples(Samples& s) { detail::pointwise_samples(s, 3, {}); }
};

// g·d at a pole: 0 where g = 0 and d is not finite, exactly g·d elsewhere, so that it stays linear in g.
struct PoleMul : PointwiseParts {
  static constexpr std::string_view name = "pole_mul", doc = "y = g·d, but 0 where g = 0 and d is not finite";
  static constexpr std::string_view operands[] = {"g", "d"};
  static constexpr auto kernels = lanes<Lane::pole_mul>();
  static constexpr Flags flags = {.poles = true};
  static void vjp(Vjp& v) {
    const Tensor& g = v.g();
    if (v.needs(0)) v.add(0, detail::pole_mul(g, v.input(1)));
    if (v.needs(1)) v.add(1, detail::pole_mul(g, v.input(0)));
  }
  static void samples(Samples& s) { detail::pointwise_samples(s, 2, {}); }
};

// ---- functions with a formula, a lane and the lanes of their derivatives ----

struct Maximum
    : LaneOp<Maximum, formula::Maximum, Lane::maximum, Lane::maximum_backward_a, Lane::maximum_backward_b> {
  static constexpr std::string_view doc = "y = max(a, b); NaN wins; a tie gives each side half the gradient";
  static constexpr Ulp ulp = {0.5, 0.5};
  static constexpr auto kernels = lanes<Lane::maximum>(kernels::scalar_kernel(Scalar::maximum, DType::int64));
  static constexpr Flags flags = {.kinks = true};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 2, {});
    s.add_convention({.what = "a tie gives each side half the gradient",
                      .inputs = {s.values({2, 1}), s.values({2, 3})},
                      .value = s.values({2, 3}),
                      .gradients = {s.values({0.5, 0}), s.values({0.5, 1})}});
    s.add_convention({.what = "NaN wins, on either side; both gradients are the cotangent",
                      .inputs = {s.values({1, kNan}), s.values({kNan, 1})},
                      .value = s.values({kNan, kNan}),
                      .gradients = {s.values({1, 1}), s.values({1, 1})}});
  }
};
struct Minimum
    : LaneOp<Minimum, formula::Minimum, Lane::minimum, Lane::minimum_backward_a, Lane::minimum_backward_b> {
  static constexpr std::string_view doc = "y = min(a, b); NaN wins; a tie gives each side half the gradient";
  static constexpr Ulp ulp = {0.5, 0.5};
  static constexpr auto kernels = lanes<Lane::minimum>(kernels::scalar_kernel(Scalar::minimum, DType::int64));
  static constexpr Flags flags = {.kinks = true};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 2, {});
    s.add_convention({.what = "a tie gives each side half the gradient",
                      .inputs = {s.values({2, 1}), s.values({2, 3})},
                      .value = s.values({2, 1}),
                      .gradients = {s.values({0.5, 1}), s.values({0.5, 0})}});
    s.add_convention({.what = "NaN wins, on either side; both gradients are the cotangent",
                      .inputs = {s.values({1, kNan}), s.values({kNan, 1})},
                      .value = s.values({kNan, kNan}),
                      .gradients = {s.values({1, 1}), s.values({1, 1})}});
  }
};
struct Pow : LaneOp<Pow, formula::Pow, Lane::pow, Lane::pow_backward_x, Lane::pow_backward_p> {
  static constexpr std::string_view doc = "y = a^b by C's pow; gradient 0 at b = 0, and of b at a = 0 ≤ b";
  static constexpr Ulp ulp = {1, 1};
  static constexpr Flags flags = {.poles = true};
  static constexpr Domain domain = {0.3, 2};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 2, domain);
    if (s.benchmark()) return;
    s.add({s.values({0.5, 1.5, 3.0}), s.values({{0.0, 1.0, -2.0}})});
    s.add_convention(
        {.what = "0^0 is 1; at x = 0 the gradient is 0 for p = 0 and that of p for p ≥ 0, infinite below",
         .inputs = {s.values({0, 0, 0, 0, 0, 0}), s.values({0, 1, 2, 0.5, -1, kNan})},
         .value = s.values({1, 0, 0, 0, kInf, kNan}),
         .gradients = {s.values({0, 1, 0, kInf, -kInf, kNan}), s.values({0, 0, 0, 0, -kInf, kNan})}});
    s.add_convention({.what = "below 0: defined for whole p, where the gradient of p is NaN",
                      .inputs = {s.values({-2, -2}), s.values({3, 0.5})},
                      .value = s.values({-8, kNan}),
                      .gradients = {s.values({12, kNan}), s.values({kNan, kNan})}});
    s.add_convention({.what = "poles, where the cotangent is 0: gradients 0",
                      .inputs = {s.values({0, 0, -2}), s.values({0.5, -1, 3})},
                      .value = s.values({0, kInf, -8}),
                      .gradients = {s.values({0, 0, 0}), s.values({0, 0, 0})},
                      .cotangent = s.values({0, 0, 0})});
  }
};
struct Square : LaneOp<Square, formula::Square, Lane::square, Lane::square_backward> {
  static constexpr std::string_view doc = "y = x²";
  static constexpr Ulp ulp = {0.5, 0.5};
  static constexpr auto kernels = lanes<Lane::square>(kernels::scalar_kernel(Scalar::square, DType::int64));
};
struct Sqrt : LaneOp<Sqrt, formula::Sqrt, Lane::sqrt, Lane::sqrt_backward> {
  static constexpr std::string_view doc = "y = √x; NaN for x < 0; the gradient at 0 is infinite";
  static constexpr Ulp ulp = {0.5, 0.5};
  static constexpr Flags flags = {.poles = true};
  static constexpr Domain domain = {0.25, 4};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 1, domain);
    s.add_convention({.what = "gradient infinite at 0 and −0, NaN below",
                      .inputs = {s.values({0.0, -0.0, -1})},
                      .value = s.values({0.0, -0.0, kNan}),
                      .gradients = {s.values({kInf, kInf, kNan})}});
    s.add_convention({.what = "where the cotangent is 0: gradient 0",
                      .inputs = {s.values({0, -1})},
                      .value = s.values({0, kNan}),
                      .gradients = {s.values({0, 0})},
                      .cotangent = s.values({0, 0})});
  }
};
struct Exp : LaneOp<Exp, formula::Exp, Lane::exp, Lane::exp_backward> {
  static constexpr std::string_view doc = "y = e^x";
  static constexpr Ulp ulp = {1.25, 1.25};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 1, {});
    s.add_convention({.what = "overflows to infinity with infinite gradient, underflows to 0",
                      .inputs = {s.values({1000, -1000, kInf, -kInf})},
                      .value = s.values({kInf, 0, kInf, 0}),
                      .gradients = {s.values({kInf, 0, kInf, 0})}});
  }
};
struct Log : LaneOp<Log, formula::Log, Lane::log, Lane::log_backward> {
  static constexpr std::string_view doc = "y = ln x; −inf at 0, NaN for x < 0";
  static constexpr Ulp ulp = {1, 1};
  static constexpr Flags flags = {.poles = true};
  static constexpr Domain domain = {0.25, 4};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 1, domain);
    s.add_convention({.what = "−inf at 0 and −0 with gradient +inf; NaN below, and so its gradient",
                      .inputs = {s.values({0.0, -0.0, -1, kInf})},
                      .value = s.values({-kInf, -kInf, kNan, kInf}),
                      .gradients = {s.values({kInf, kInf, kNan, 0})}});
    s.add_convention({.what = "where the cotangent is 0: gradient 0",
                      .inputs = {s.values({0, -1})},
                      .value = s.values({-kInf, kNan}),
                      .gradients = {s.values({0, 0})},
                      .cotangent = s.values({0, 0})});
  }
};
struct Tanh : LaneOp<Tanh, formula::Tanh, Lane::tanh, Lane::tanh_backward> {
  static constexpr std::string_view doc = "y = tanh x; the gradient keeps its digits where y saturates";
  static constexpr Ulp ulp = {1.75, 2};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 1, {});
    s.add_convention({.what = "saturates at ±1 with gradient 0",
                      .inputs = {s.values({1000, -1000, kInf, -kInf})},
                      .value = s.values({1, -1, 1, -1}),
                      .gradients = {s.values({0, 0, 0, 0})}});
  }
};
struct Sigmoid : LaneOp<Sigmoid, formula::Sigmoid, Lane::sigmoid, Lane::sigmoid_backward> {
  static constexpr std::string_view doc = "y = 1/(1 + e^−x); the gradient keeps its digits where y saturates";
  static constexpr Ulp ulp = {1.75, 1.75};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 1, {});
    s.add_convention({.what = "saturates at 1 and 0 with gradient 0",
                      .inputs = {s.values({1000, -1000, kInf, -kInf})},
                      .value = s.values({1, 0, 1, 0}),
                      .gradients = {s.values({0, 0, 0, 0})}});
  }
};
struct Relu : LaneOp<Relu, formula::Relu, Lane::relu, Lane::relu_backward> {
  static constexpr std::string_view doc = "y = max(x, 0); gradient 0 at 0; NaN stays NaN";
  static constexpr Ulp ulp = {0.5, 0.5};
  static constexpr Flags flags = {.kinks = true};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 1, {});
    s.add_convention({.what = "gradient 0 at 0; NaN stays and passes the cotangent",
                      .inputs = {s.values({0.0, -0.0, kNan, 2, -2})},
                      .value = s.values({0, 0, kNan, 2, 0}),
                      .gradients = {s.values({0, 0, 3, 3, 0})},
                      .cotangent = s.values({3, 3, 3, 3, 3})});
  }
};
struct Abs : LaneOp<Abs, formula::Abs, Lane::abs, Lane::abs_backward> {
  static constexpr std::string_view doc = "y = |x|; gradient 0 at 0";
  static constexpr Ulp ulp = {0.5, 0.5};
  static constexpr auto kernels = lanes<Lane::abs>(kernels::scalar_kernel(Scalar::abs, DType::int64));
  static constexpr Flags flags = {.kinks = true};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 1, {});
    s.add_convention({.what = "gradient 0 at 0",
                      .inputs = {s.values({0.0, -0.0, 2, -2, kNan})},
                      .value = s.values({0, 0, 2, 2, kNan}),
                      .gradients = {s.values({0.0, -0.0, 1, -1, kNan})}});
  }
};

struct Sign : PointwiseParts {
  static constexpr std::string_view name = "sign", doc = "y = −1, 0 or 1; gradient 0";
  static constexpr Ulp ulp = {0.5, 0.5};
  static constexpr auto operands = detail::operand_names(1);
  static constexpr auto kernels = lanes<Lane::sign>(kernels::scalar_kernel(Scalar::sign, DType::int64));
  static constexpr Flags flags = {.jump = true, .zero_gradient = true};
  static void vjp(Vjp& v) { v.add(0, mul(v.g(), 0.0)); }
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 1, {});
    s.add_convention({.what = "0 at 0 and −0; NaN of NaN; gradient 0 everywhere",
                      .inputs = {s.values({0.0, -0.0, -3, kInf, kNan})},
                      .value = s.values({0.0, -0.0, -1, 1, kNan}),
                      .gradients = {s.values({0, 0, 0, 0, 0})}});
  }
};

Tensor pole_div(const Arg& g, const Arg& b) { return apply(op<PoleDiv>, {g, b}); }

}  // namespace

// clang-format off
std::span<const Op* const> pointwise() {
  static constexpr const Op* kOps[] = {
      &op<Add>, &op<Sub>,    &op<Mul>,  &op<Div>,  &op<Neg>,     &op<MulAdd>, &op<Maximum>, &op<Minimum>, &op<Pow>,
      &op<Abs>, &op<Sign>,   &op<Square>, &op<Sqrt>, &op<Exp>,   &op<Log>,    &op<Tanh>,    &op<Sigmoid>, &op<Relu>};

  return kOps;
}

std::span<const Op* const> pointwise_backward() {
  static constexpr const Op* kOps[] = {
      &op<PoleMul>, &op<PoleDiv>,
      &op<Maximum::BackwardOp<0>>, &op<Maximum::BackwardOp<1>>, &op<Minimum::BackwardOp<0>>,
      &op<Minimum::BackwardOp<1>>, &op<Pow::BackwardOp<0>>,     &op<Pow::BackwardOp<1>>,
      &op<Abs::BackwardOp<0>>,     &op<Square::BackwardOp<0>>,  &op<Sqrt::BackwardOp<0>>,
      &op<Exp::BackwardOp<0>>,     &op<Log::BackwardOp<0>>,     &op<Tanh::BackwardOp<0>>,
      &op<Sigmoid::BackwardOp<0>>, &op<Relu::BackwardOp<0>>};
  return kOps;
}
// clang-format on

}  // namespace ops

namespace detail {
Tensor pole_mul(const Arg& g, const Arg& d) { return apply(op<ops::PoleMul>, {g, d}); }
}  // namespace detail

Tensor add(const Arg& a, const Arg& b) { return apply(op<ops::Add>, {a, b}); }
Tensor sub(const Arg& a, const Arg& b) { return apply(op<ops::Sub>, {a, b}); }
Tensor mul(const Arg& a, const Arg& b) { return apply(op<ops::Mul>, {a, b}); }
Tensor div(const Arg& a, const Arg& b) { return apply(op<ops::Div>, {a, b}); }
Tensor maximum(const Arg& a, const Arg& b) { return apply(op<ops::Maximum>, {a, b}); }
Tensor minimum(const Arg& a, const Arg& b) { return apply(op<ops::Minimum>, {a, b}); }
Tensor pow(const Arg& x, const Arg& exponent) { return apply(op<ops::Pow>, {x, exponent}); }
Tensor mul_add(const Arg& a, const Arg& b, const Arg& c) { return apply(op<ops::MulAdd>, {a, b, c}); }
Tensor neg(const Arg& x) { return apply(op<ops::Neg>, {x}); }
Tensor abs(const Arg& x) { return apply(op<ops::Abs>, {x}); }
Tensor sign(const Arg& x) { return apply(op<ops::Sign>, {x}); }
Tensor square(const Arg& x) { return apply(op<ops::Square>, {x}); }
Tensor sqrt(const Arg& x) { return apply(op<ops::Sqrt>, {x}); }
Tensor exp(const Arg& x) { return apply(op<ops::Exp>, {x}); }
Tensor log(const Arg& x) { return apply(op<ops::Log>, {x}); }
Tensor tanh(const Arg& x) { return apply(op<ops::Tanh>, {x}); }
Tensor sigmoid(const Arg& x) { return apply(op<ops::Sigmoid>, {x}); }
Tensor relu(const Arg& x) { return apply(op<ops::Relu>, {x}); }

}  // namespace tapegrad
