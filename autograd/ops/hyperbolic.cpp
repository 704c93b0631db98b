#include <limits>

#include "autograd/ops.h"
#include "autograd/ops/groups.h"
#include "autograd/ops/lanes_op.h"
#include "autograd/samples.h"

namespace tapegrad {
namespace ops {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

struct Sinh : LaneOp<Sinh, formula::Sinh, Lane::sinh, kByFormula> {
  static constexpr std::string_view doc = "y = (e^x − e^−x)/2; overflows no sooner than it must";
  static constexpr Ulp ulp = {0.51, 2};
};
struct Cosh : LaneOp<Cosh, formula::Cosh, Lane::cosh, kByFormula> {
  static constexpr std::string_view doc = "y = (e^x + e^−x)/2; overflows no sooner than it must";
  static constexpr Ulp ulp = {0.51, 1.75};
};
struct Asinh : LaneOp<Asinh, formula::Asinh, Lane::asinh, kByFormula> {
  static constexpr std::string_view doc = "y = ln(x + √(x² + 1)); gradient 1/√(x² + 1), for huge x too";
  static constexpr Ulp ulp = {0.51, 2};
};
struct Acosh : LaneOp<Acosh, formula::Acosh, Lane::acosh, kByFormula> {
  static constexpr std::string_view doc =
      "y = ln(x + √(x² − 1)) for x ≥ 1, else NaN; gradient 1/√(x² − 1), infinite at 1";
  static constexpr Ulp ulp = {0.51, 2.75};
  static constexpr Flags flags = {.poles = true};
  static constexpr Domain domain = {1.25, 4};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 1, domain);
    if (s.benchmark()) return;
    s.add_convention({.what = "at 1 the gradient is infinite; 0 for a cotangent of 0",
                      .inputs = {s.values({1.0, 1.0})},
                      .value = s.values({0.0, 0.0}),
                      .gradients = {s.values({kInf, 0.0})},
                      .cotangent = s.values({1.0, 0.0})});
  }
};
struct Atanh : LaneOp<Atanh, formula::Atanh, Lane::atanh, kByFormula> {
  static constexpr std::string_view doc =
      "y = ln((1 + x)/(1 − x))/2; ±inf at ±1, NaN beyond; gradient 1/(1 − x²), infinite at ±1";
  static constexpr Ulp ulp = {0.51, 2.25};
  static constexpr Flags flags = {.poles = true};
  static constexpr Domain domain = {-0.75, 0.75};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 1, domain);
    if (s.benchmark()) return;
    s.add_convention({.what = "at ±1 value and gradient are infinite; 0 for a cotangent of 0",
                      .inputs = {s.values({1.0, -1.0, 1.0})},
                      .value = s.values({kInf, -kInf, kInf}),
                      .gradients = {s.values({kInf, kInf, 0.0})},
                      .cotangent = s.values({1.0, 1.0, 0.0})});
  }
};

}  // namespace

std::span<const Op* const> hyperbolic() {
  static constexpr const Op* kOps[] = {&op<Sinh>,
                                       &op<Cosh>,
                                       &op<Asinh>,
                                       &op<Acosh>,
                                       &op<Atanh>,
                                       &op<Sinh::BackwardOp<0>>,
                                       &op<Cosh::BackwardOp<0>>,
                                       &op<Asinh::BackwardOp<0>>,
                                       &op<Acosh::BackwardOp<0>>,
                                       &op<Atanh::BackwardOp<0>>};
  return kOps;
}

}  // namespace ops

Tensor sinh(const Arg& x) { return apply(op<ops::Sinh>, {x}); }
Tensor cosh(const Arg& x) { return apply(op<ops::Cosh>, {x}); }
Tensor asinh(const Arg& x) { return apply(op<ops::Asinh>, {x}); }
Tensor acosh(const Arg& x) { return apply(op<ops::Acosh>, {x}); }
Tensor atanh(const Arg& x) { return apply(op<ops::Atanh>, {x}); }

}  // namespace tapegrad
