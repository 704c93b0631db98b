// Activations beside relu, tanh and sigmoid, and clamp.

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "autograd/kernels/scalar.h"
#include "autograd/ops.h"
#include "autograd/ops/groups.h"
#include "autograd/ops/lanes_op.h"
#include "autograd/samples.h"

namespace tapegrad {
namespace ops {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// The usual samples of a unary op, and one with other options.
template <class Options>
void samples_with(Samples& s, const Options& options) {
  detail::pointwise_samples(s, 1, {});
  if (!s.benchmark()) s.add({s.uniform({4, 7}, -3, 3)}, options);
}

// Samples that keep away from the zero of the slope, where a relative error means nothing.
void samples_beside_zero(Samples& s, Domain zero) {
  detail::pointwise_samples(s, 1, {zero.high, 3});
  if (s.benchmark()) return;
  s.add({s.uniform({6, 5}, -4, zero.low)});
  s.add({s.uniform({9}, -40, 40)});
}

struct LeakyRelu : LaneOp<LeakyRelu, formula::LeakyRelu, Lane::leaky_relu, Lane::leaky_relu_backward> {
  static constexpr std::string_view doc =
      "y = x for x > 0, negative_slope·x for x ≤ 0; at 0 the gradient is negative_slope";
  static constexpr Flags flags = {.kinks = true};
  static constexpr Ulp ulp = {0.5, 0.5};
  static void samples(Samples& s) {
    samples_with(s, Options{0.25});
    if (s.benchmark()) return;
    s.add_convention({.what = "at 0 the gradient is negative_slope; −0 stays −0",
                      .inputs = {s.values({0.0, -0.0, -kInf})},
                      .options = Options{0.25},
                      .value = s.values({0.0, -0.0, -kInf}),
                      .gradients = {s.values({0.25, 0.25, 0.25})}});
  }
};

struct Elu : LaneOp<Elu, formula::Elu, Lane::elu, kByFormula> {
  static constexpr std::string_view doc =
      "y = x for x > 0, alpha·(e^x − 1) for x ≤ 0; at 0 the gradient is alpha";
  static constexpr Flags flags = {.kinks = true};
  static constexpr Ulp ulp = {2.5, 2.5};
  static void samples(Samples& s) {
    samples_with(s, Options{1.5});
    if (s.benchmark()) return;
    s.add_convention({.what = "at 0 the gradient is alpha; −0 stays −0; −inf gives −alpha; NaN passes it",
                      .inputs = {s.values({0.0, -0.0, -kInf, kInf, kNan})},
                      .options = Options{1.5},
                      .value = s.values({0.0, -0.0, -1.5, kInf, kNan}),
                      .gradients = {s.values({1.5, 1.5, 0.0, 1.0, 1.0})}});
  }
};

struct Selu : LaneOp<Selu, formula::Selu, Lane::selu, kByFormula> {
  static constexpr std::string_view doc =
      "y = 1.0507·elu(x, alpha = 1.6733), the constants in full precision; at 0 the gradient is 1.7581";
  static constexpr Flags flags = {.kinks = true};
  static constexpr Ulp ulp = {3, 3};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 1, {});
    if (s.benchmark()) return;
    constexpr double kBelow = formula::Selu::kBelow;
    s.add_convention({.what = "at 0 the gradient is that from below; −0 stays −0",
                      .inputs = {s.values({0.0, -0.0, -kInf, kInf})},
                      .value = s.values({0.0, -0.0, -kBelow, kInf}),
                      .gradients = {s.values({kBelow, kBelow, 0.0, formula::Selu::kScale})}});
  }
};

struct Softplus : LaneOp<Softplus, formula::Softplus, Lane::softplus, Lane::softplus_backward> {
  static constexpr std::string_view doc =
      "y = ln(1 + e^(beta·x))/beta, without overflow; y = x where beta·x > threshold. The bound is for beta "
      "a "
      "power of 2";
  static constexpr Flags flags = {.jump = true};  // at the threshold, by less than e^−threshold/|beta|
  static constexpr Ulp ulp = {2, 2};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 1, {});
    if (s.benchmark()) return;
    s.add({s.uniform({9}, -40, 40)});
    s.add({s.uniform({4, 7}, -3, 3)}, Options{.beta = 2, .threshold = 8});
    s.add({s.values({-30.0, -0.5, 0.25, 1.5, 30.0})}, Options{.beta = 0.5, .threshold = 0.5});
    s.add_convention({.what = "above the threshold y = x with gradient 1",
                      .inputs = {s.values({1.5, kInf, -kInf})},
                      .options = Options{.beta = 1, .threshold = 1},
                      .value = s.values({1.5, kInf, 0.0}),
                      .gradients = {s.values({1.0, 1.0, 0.0})}});
  }
};

struct Silu : LaneOp<Silu, formula::Silu, Lane::silu, Lane::silu_backward> {
  static constexpr std::string_view doc =
      "y = x/(1 + e^−x); −0 at −inf. The slope is good to a quarter of epsilon near its zero at −1.278";
  static constexpr Ulp ulp = {3, 3};
  static void samples(Samples& s) {
    samples_beside_zero(s, {-1.6, -1});
    if (s.benchmark()) return;
    s.add_convention({.what = "its limits at ±inf: −0 with gradient −0, inf with gradient 1",
                      .inputs = {s.values({-0.0, -kInf, -1e30, kInf, 1e30})},
                      .value = s.values({-0.0, -0.0, -0.0, kInf, 1e30}),
                      .gradients = {s.values({0.5, -0.0, -0.0, 1.0, 1.0})}});
  }
};

struct Mish : LaneOp<Mish, formula::Mish, Lane::mish, Lane::mish_backward> {
  static constexpr std::string_view doc =
      "y = x·tanh(softplus(x)); −0 at −inf. The slope is good to a quarter of epsilon near its zero at "
      "−1.192";
  static constexpr Ulp ulp = {3, 3};
  static void samples(Samples& s) {
    samples_beside_zero(s, {-1.6, -0.9});
    if (s.benchmark()) return;
    s.add_convention({.what = "its limits at ±inf: −0 with gradient −0, inf with gradient 1",
                      .inputs = {s.values({-0.0, -kInf, -1e30, kInf, 1e30})},
                      .value = s.values({-0.0, -0.0, -0.0, kInf, 1e30}),
                      .gradients = {s.values({0.6, -0.0, -0.0, 1.0, 1.0})}});
  }
};

struct Hardtanh : LaneOp<Hardtanh, formula::Hardtanh, Lane::hardtanh, Lane::hardtanh_backward> {
  static constexpr std::string_view doc =
      "y = x between min_val and max_val, else the nearer of them; at both the gradient is 0";
  static constexpr Flags flags = {.kinks = true};
  static constexpr Ulp ulp = {0.5, 0.5};
  static void shape(Call& call) {
    const auto& o = call.options<Options>();
    if (!(o.min_val <= o.max_val)) {
      call.argument_error(
          fmt::format("expected min_val ≤ max_val, given min_val {} and max_val {}", o.min_val, o.max_val));
    }
    detail::pointwise_shape(call);
  }
  static void samples(Samples& s) {
    samples_with(s, Options{-0.5, 2});
    if (s.benchmark()) return;
    s.add_error("expected min_val ≤ max_val, given min_val 1 and max_val -1", {s.values({0.0})},
                Options{1, -1});
    s.add_error("expected min_val", {s.values({0.0})}, Options{kNan, 1});
    s.add_convention({.what = "at a bound the gradient is 0",
                      .inputs = {s.values({-1.0, 1.0, -0.0, kInf})},
                      .value = s.values({-1.0, 1.0, -0.0, 1.0}),
                      .gradients = {s.values({0.0, 0.0, 1.0, 0.0})}});
    s.add_convention({.what = "NaN stays NaN and passes the gradient",
                      .inputs = {s.values({kNan})},
                      .value = s.values({kNan}),
                      .gradients = {s.values({1.0})}});
  }
};

struct Clamp : LaneOp<Clamp, formula::Clamp, Lane::clamp, Lane::clamp_backward> {
  static constexpr std::string_view doc =
      "y = min(max(x, min), max), an absent bound bounding nothing; at a bound the gradient passes. Beside "
      "int64 bounds are whole";
  static constexpr auto kernels =
      lanes<Lane::clamp>(kernels::scalar_kernel(kernels::Scalar::clamp, DType::int64));
  static constexpr Flags flags = {.kinks = true};
  static constexpr Ulp ulp = {0.5, 0.5};
  static void shape(Call& call) {
    const auto& o = call.options<Options>();
    if (!o.min && !o.max) call.argument_error("expected min, max or both, given neither");
    if (call.dtype(0) == DType::int64) {
      // Up to 2^53 a double tells every integer from its neighbours.
      for (const auto& bound : {o.min, o.max}) {
        if (!bound || (std::trunc(*bound) == *bound && std::fabs(*bound) < 0x1p53)) continue;
        call.dtype_error(fmt::format("the bound {} beside int64 elements; use cast", *bound));
      }
    }
    detail::pointwise_shape(call);
  }
  static void samples(Samples& s) {
    const Options both{-1, 1};
    if (s.benchmark()) return s.add({s.uniform({1 << 20}, -2, 2)}, both);
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{3, 5}, Shape{0, 2}, Shape{2, 1, 300}}) {
      s.add({s.uniform(shape, -2, 2)}, both);
    }
    s.add({s.uniform({5}, -2, 2)}, Options{0.5, {}});
    s.add({s.uniform({5}, -2, 2)}, Options{{}, 0.5});
    s.add({tensor({-7, 0, 3, 9})}, Options{-2, 3});
    s.add({tensor({-7, 9})}, Options{{}, 3});
    s.add_error("expected min, max or both", {s.values({0.0})});
    s.add_error("the bound 0.5 beside int64 elements", {tensor({1, 2})}, Options{0.5, {}});
    s.add_error("the bound inf beside", {tensor({1, 2})}, Options{0, kInf});
    s.add_error("use cast", {zeros({3}, boolean)}, both);
    s.add_convention({.what = "at a bound the gradient passes",
                      .inputs = {s.values({-1.0, 1.0, -2.0, 2.0, -0.0})},
                      .options = both,
                      .value = s.values({-1.0, 1.0, -1.0, 1.0, -0.0}),
                      .gradients = {s.values({1.0, 1.0, 0.0, 0.0, 1.0})}});
    s.add_convention({.what = "min above max gives max, with gradient 0",
                      .inputs = {s.values({0.0, 1.5, 3.0})},
                      .options = Options{2, 1},
                      .value = s.values({1.0, 1.0, 1.0}),
                      .gradients = {s.values({0.0, 0.0, 0.0})}});
    s.add_convention({.what = "NaN stays NaN, with gradient 0",
                      .inputs = {s.values({kNan})},
                      .options = Options{0, {}},
                      .value = s.values({kNan}),
                      .gradients = {s.values({0.0})}});
    s.add_convention({.what = "a bound that is NaN makes all NaN, with gradient 0",
                      .inputs = {s.values({1.0})},
                      .options = Options{{}, kNan},
                      .value = s.values({kNan}),
                      .gradients = {s.values({0.0})}});
  }
};

}  // namespace

// clang-format off
std::span<const Op* const> activation() {
  static constexpr const Op* kOps[] = {
      &op<LeakyRelu>, &op<Elu>, &op<Selu>, &op<Softplus>, &op<Silu>, &op<Mish>, &op<Hardtanh>, &op<Clamp>,
      &op<LeakyRelu::BackwardOp<0>>, &op<Elu::BackwardOp<0>>,  &op<Selu::BackwardOp<0>>,
      &op<Softplus::BackwardOp<0>>,  &op<Silu::BackwardOp<0>>, &op<Mish::BackwardOp<0>>,
      &op<Hardtanh::BackwardOp<0>>,  &op<Clamp::BackwardOp<0>>};
  return kOps;
}
// clang-format on

}  // namespace ops

Tensor leaky_relu(const Arg& x, double negative_slope) {
  return apply(op<ops::LeakyRelu>, {x}, ops::LeakyRelu::Options{negative_slope});
}
Tensor elu(const Arg& x, double alpha) { return apply(op<ops::Elu>, {x}, ops::Elu::Options{alpha}); }
Tensor selu(const Arg& x) { return apply(op<ops::Selu>, {x}); }
Tensor softplus(const Arg& x, double beta, double threshold) {
  return apply(op<ops::Softplus>, {x}, ops::Softplus::Options{beta, threshold});
}
Tensor silu(const Arg& x) { return apply(op<ops::Silu>, {x}); }
Tensor mish(const Arg& x) { return apply(op<ops::Mish>, {x}); }
Tensor hardtanh(const Arg& x, double min_val, double max_val) {
  return apply(op<ops::Hardtanh>, {x}, ops::Hardtanh::Options{min_val, max_val});
}
Tensor clamp(const Arg& x, std::optional<double> min, std::optional<double> max) {
  return apply(op<ops::Clamp>, {x}, ops::Clamp::Options{min, max});
}

}  // namespace tapegrad
