// Sines, tangents, their inverses, and lengths.

#include <limits>
#include <numbers>

#include "autograd/ops.h"
#include "autograd/ops/groups.h"
#include "autograd/ops/lanes_op.h"
#include "autograd/samples.h"

namespace tapegrad {
namespace ops {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kPi = std::numbers::pi;

struct Sin : LaneOp<Sin, formula::Sin, Lane::sin, kByFormula> {
  static constexpr std::string_view doc = "y = sin x, x in radians and of any size; NaN at ±inf";
  static constexpr Ulp ulp = {0.51, 1};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 1, {});
    if (s.benchmark()) return;
    s.add({s.values({-5, 7.5, 20, -41})});
  }
};
struct Cos : LaneOp<Cos, formula::Cos, Lane::cos, kByFormula> {
  static constexpr std::string_view doc = "y = cos x, x in radians and of any size; NaN at ±inf";
  static constexpr Ulp ulp = {0.51, 1};
  static void samples(Samples& s) { Sin::samples(s); }
};
struct Tan : LaneOp<Tan, formula::Tan, Lane::tan, kByFormula> {
  static constexpr std::string_view doc = "y = tan x, x in radians and of any size; NaN at ±inf";
  static constexpr Ulp ulp = {0.55, 2};
  static constexpr Flags flags = {.jump = true, .poles = true};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 1, {-1.2, 1.2});
    if (s.benchmark()) return;
    s.add({s.values({-5, 3.5, 7})});
  }
};

struct Asin : LaneOp<Asin, formula::Asin, Lane::asin, kByFormula> {
  static constexpr std::string_view doc =
      "y = arcsin x in [−π/2, π/2]; NaN for |x| > 1; the gradient at ±1 is infinite";
  static constexpr Ulp ulp = {0.51, 1.5};
  static constexpr Flags flags = {.poles = true};
  static constexpr Domain domain = {-0.9, 0.9};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 1, domain);
    if (s.benchmark()) return;
    s.add_convention({.what = "the gradient at ±1 is infinite, and 0 where the cotangent is 0",
                      .inputs = {s.values({1, -1, 1})},
                      .value = s.values({kPi / 2, -kPi / 2, kPi / 2}),
                      .gradients = {s.values({kInf, -kInf, 0})},
                      .cotangent = s.values({1, -1, 0})});
  }
};
struct Acos : LaneOp<Acos, formula::Acos, Lane::acos, kByFormula> {
  static constexpr std::string_view doc =
      "y = arccos x in [0, π]; NaN for |x| > 1; the gradient at ±1 is infinite";
  static constexpr Ulp ulp = {0.51, 1.5};
  static constexpr Flags flags = {.poles = true};
  static constexpr Domain domain = {-0.9, 0.9};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 1, domain);
    if (s.benchmark()) return;
    s.add_convention({.what = "the gradient at ±1 is infinite, and 0 where the cotangent is 0",
                      .inputs = {s.values({1, -1, 1})},
                      .value = s.values({0, kPi, 0}),
                      .gradients = {s.values({-kInf, kInf, 0})},
                      .cotangent = s.values({1, -1, 0})});
  }
};
struct Atan : LaneOp<Atan, formula::Atan, Lane::atan, Lane::atan_backward> {
  static constexpr std::string_view doc = "y = arctan x in [−π/2, π/2]";
  static constexpr Ulp ulp = {0.51, 2};
};

struct Atan2 : LaneOp<Atan2, formula::Atan2, Lane::atan2, Lane::atan2_backward_a, Lane::atan2_backward_b> {
  static constexpr std::string_view doc =
      "y = the angle of (b, a) in [−π, π] by C's atan2; gradient 0 at (0, 0) and at infinity";
  static constexpr Ulp ulp = {0.51, 2};
  static constexpr Flags flags = {.jump = true, .poles = true};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 2, {0.3, 2});
    if (s.benchmark()) return;
    s.add({s.values({{0.5}, {1.5}, {-0.7}, {-2}}), s.values({-1, -0.6, 0.8})});
    s.add_convention({.what = "the angle of (0, 0) is C's, and its gradients are 0",
                      .inputs = {s.values({0.0, -0.0, 0.0, -0.0}), s.values({0.0, 0.0, -0.0, -0.0})},
                      .value = s.values({0.0, -0.0, kPi, -kPi}),
                      .gradients = {s.values({0, 0, 0, 0}), s.values({-0.0, -0.0, -0.0, -0.0})}});
  }
};
struct Hypot : LaneOp<Hypot, formula::Hypot, Lane::hypot, Lane::hypot_backward_a, Lane::hypot_backward_b> {
  static constexpr std::string_view doc =
      "y = √(a² + b²), inf if either is infinite; gradient 0 at (0, 0), NaN of an infinite operand";
  static constexpr Ulp ulp = {1.5, 1.5};
  static constexpr Flags flags = {.kinks = true};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 2, {0.3, 2});
    if (s.benchmark()) return;
    s.add({s.values({{0.5}, {1.5}, {-0.7}, {-2}}), s.values({-1, -0.6, 0.8})});
    s.add_convention({.what = "the gradients at (0, 0) are 0",
                      .inputs = {s.values({0.0, -0.0}), s.values({0.0, 0.0})},
                      .value = s.values({0, 0}),
                      .gradients = {s.values({0, 0}), s.values({0, 0})}});
    s.add_convention({.what = "an infinite operand wins, also over NaN",
                      .inputs = {s.values({kInf, kNaN}), s.values({kNaN, -kInf})},
                      .value = s.values({kInf, kInf})});
  }
};

}  // namespace

std::span<const Op* const> trigonometric() {
  static constexpr const Op* kOps[] = {&op<Sin>,  &op<Cos>,  &op<Tan>,   &op<Asin>,
                                       &op<Acos>, &op<Atan>, &op<Atan2>, &op<Hypot>};
  return kOps;
}

std::span<const Op* const> trigonometric_backward() {
  static constexpr const Op* kOps[] = {&op<Sin::BackwardOp<0>>,   &op<Cos::BackwardOp<0>>,
                                       &op<Tan::BackwardOp<0>>,   &op<Asin::BackwardOp<0>>,
                                       &op<Acos::BackwardOp<0>>,  &op<Atan::BackwardOp<0>>,
                                       &op<Atan2::BackwardOp<0>>, &op<Atan2::BackwardOp<1>>,
                                       &op<Hypot::BackwardOp<0>>, &op<Hypot::BackwardOp<1>>};
  return kOps;
}

}  // namespace ops

Tensor sin(const Arg& x) { return apply(op<ops::Sin>, {x}); }
Tensor cos(const Arg& x) { return apply(op<ops::Cos>, {x}); }
Tensor tan(const Arg& x) { return apply(op<ops::Tan>, {x}); }
Tensor asin(const Arg& x) { return apply(op<ops::Asin>, {x}); }
Tensor acos(const Arg& x) { return apply(op<ops::Acos>, {x}); }
Tensor atan(const Arg& x) { return apply(op<ops::Atan>, {x}); }
Tensor atan2(const Arg& y, const Arg& x) { return apply(op<ops::Atan2>, {y, x}); }
Tensor hypot(const Arg& a, const Arg& b) { return apply(op<ops::Hypot>, {a, b}); }

}  // namespace tapegrad
