#include <limits>

#include "autograd/ops.h"
#include "autograd/ops/groups.h"
#include "autograd/ops/lanes_op.h"
#include "autograd/samples.h"

// Powers, exponentials and logarithms beside those of pointwise.cpp.

namespace tapegrad {
namespace ops {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

struct Reciprocal : LaneOp<Reciprocal, formula::Reciprocal, Lane::reciprocal, Lane::reciprocal_backward> {
  static constexpr std::string_view doc = "y = 1/x; ±inf at ±0, where the gradient is −inf";
  static constexpr Ulp ulp = {0.5, 0.5};
  static constexpr Flags flags = {.poles = true};
  static constexpr Domain domain = {0.5, 2};
};
struct Rsqrt : LaneOp<Rsqrt, formula::Rsqrt, Lane::rsqrt, Lane::rsqrt_backward> {
  static constexpr std::string_view doc = "y = 1/√x; ±inf at ±0, where the gradient is −inf; NaN for x < 0";
  static constexpr Ulp ulp = {1.5, 1.5};
  static constexpr Flags flags = {.poles = true};
  static constexpr Domain domain = {0.25, 4};
};
struct Exp2 : LaneOp<Exp2, formula::Exp2, Lane::exp2, kByFormula> {
  static constexpr std::string_view doc = "y = 2^x, exact at integers";
  static constexpr Ulp ulp = {1.25, 1.25};
};
struct Expm1 : LaneOp<Expm1, formula::Expm1, Lane::expm1, Lane::expm1_backward> {
  static constexpr std::string_view doc = "y = e^x − 1, with all its digits near 0; the gradient is e^x";
  static constexpr Ulp ulp = {1.5, 1.5};
};

// A logarithm's value and gradient at its pole.
template <class D>
void logarithm_samples(Samples& s, double pole) {
  detail::pointwise_samples(s, 1, D::domain);
  if (s.benchmark()) return;
  s.add_convention({.what = "at the pole the value is −inf and the gradient +inf; 0 for a cotangent of 0",
                    .inputs = {s.values({pole, pole})},
                    .value = s.values({-kInf, -kInf}),
                    .gradients = {s.values({kInf, 0.0})},
                    .cotangent = s.values({1.0, 0.0})});
}
struct Log2 : LaneOp<Log2, formula::Log2, Lane::log2, kByFormula> {
  static constexpr std::string_view doc =
      "y = log₂ x, exact at powers of two; −inf at 0, NaN for x < 0, gradient 1/(x·ln 2)";
  static constexpr Ulp ulp = {0.51, 2};
  static constexpr Flags flags = {.poles = true};
  static constexpr Domain domain = {0.25, 4};
  static void samples(Samples& s) { logarithm_samples<Log2>(s, 0.0); }
};
struct Log10 : LaneOp<Log10, formula::Log10, Lane::log10, kByFormula> {
  static constexpr std::string_view doc = "y = log₁₀ x; −inf at 0, NaN for x < 0, gradient 1/(x·ln 10)";
  static constexpr Ulp ulp = {0.51, 2};
  static constexpr Flags flags = {.poles = true};
  static constexpr Domain domain = {0.25, 4};
  static void samples(Samples& s) { logarithm_samples<Log10>(s, 0.0); }
};
struct Log1p : LaneOp<Log1p, formula::Log1p, Lane::log1p, Lane::log1p_backward> {
  static constexpr std::string_view doc =
      "y = ln(1 + x), with all its digits near 0; −inf at −1, NaN below; gradient 1/(1 + x)";
  static constexpr Ulp ulp = {1, 1};
  static constexpr Flags flags = {.poles = true};
  static constexpr Domain domain = {-0.75, 3};
  static void samples(Samples& s) { logarithm_samples<Log1p>(s, -1.0); }
};

struct Xlogy : LaneOp<Xlogy, formula::Xlogy, Lane::xlogy, kByFormula, kByFormula> {
  static constexpr std::string_view doc =
      "y = a·ln b; 0 where a = 0, unless b is NaN; gradients ln b and a/b, the latter 0 where a = 0 ≥ b";
  static constexpr Ulp ulp = {2.5, 2.5};
  static constexpr Flags flags = {.poles = true};
  static constexpr Domain domain = {0.25, 4};
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 2, domain);
    if (s.benchmark()) return;
    s.add({s.values({0.0, -1.5, 0.0, 2.0}), s.values({0.5, 1.5, 2.0, 1.0})});
    s.add_convention({.what = "0 at a = 0, also where b is 0 or infinite; the gradient by b is 0 there",
                      .inputs = {s.values({0.0, 0.0, 0.0}), s.values({0.0, 1.0, kInf})},
                      .value = s.values({0.0, 0.0, 0.0}),
                      .gradients = {s.values({-kInf, 0.0, kInf}), s.values({0.0, 0.0, 0.0})}});
  }
};

struct Logaddexp : LaneOp<Logaddexp, formula::Logaddexp, Lane::logaddexp, kByFormula, kByFormula> {
  static constexpr std::string_view doc =
      "y = ln(e^a + e^b) without overflow, to 0.51 (float32) or 4 units (float64) in the last place of the "
      "largest of |a|, |b| and |y|; gradients "
      "σ(a − b) and σ(b − a), ½ each at (inf, inf), 0 at (−inf, −inf) as for logsumexp";
  static constexpr Domain domain = {-0.5, 2};  // not where a and ln(1 + e^(b − a)) cancel
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 2, domain);
    if (s.benchmark()) return;
    s.add({s.values({20.0, -30.0, 3.0}), s.values({{1.5}, {-3.0}})});
    s.add_convention({.what = "equal operands share evenly, also 1e30 and inf; 0 at (−inf, −inf)",
                      .inputs = {s.values({1e30, kInf, -kInf}), s.values({1e30, kInf, -kInf})},
                      .value = s.values({1e30, kInf, -kInf}),
                      .gradients = {s.values({0.5, 0.5, 0.0}), s.values({0.5, 0.5, 0.0})}});
    s.add_convention({.what = "an infinite operand decides",
                      .inputs = {s.values({kInf, -kInf, kInf}), s.values({-kInf, 2.0, 1.0})},
                      .value = s.values({kInf, 2.0, kInf}),
                      .gradients = {s.values({1.0, 0.0, 1.0}), s.values({0.0, 1.0, 0.0})}});
  }
};

}  // namespace

std::span<const Op* const> exponential() {
  static constexpr const Op* kOps[] = {&op<Reciprocal>,
                                       &op<Rsqrt>,
                                       &op<Exp2>,
                                       &op<Expm1>,
                                       &op<Log2>,
                                       &op<Log10>,
                                       &op<Log1p>,
                                       &op<Xlogy>,
                                       &op<Logaddexp>,
                                       &op<Reciprocal::BackwardOp<0>>,
                                       &op<Rsqrt::BackwardOp<0>>,
                                       &op<Exp2::BackwardOp<0>>,
                                       &op<Expm1::BackwardOp<0>>,
                                       &op<Log2::BackwardOp<0>>,
                                       &op<Log10::BackwardOp<0>>,
                                       &op<Log1p::BackwardOp<0>>,
                                       &op<Xlogy::BackwardOp<0>>,
                                       &op<Xlogy::BackwardOp<1>>,
                                       &op<Logaddexp::BackwardOp<0>>,
                                       &op<Logaddexp::BackwardOp<1>>};
  return kOps;
}

}  // namespace ops

Tensor reciprocal(const Arg& x) { return apply(op<ops::Reciprocal>, {x}); }
Tensor rsqrt(const Arg& x) { return apply(op<ops::Rsqrt>, {x}); }
Tensor exp2(const Arg& x) { return apply(op<ops::Exp2>, {x}); }
Tensor expm1(const Arg& x) { return apply(op<ops::Expm1>, {x}); }
Tensor log2(const Arg& x) { return apply(op<ops::Log2>, {x}); }
Tensor log10(const Arg& x) { return apply(op<ops::Log10>, {x}); }
Tensor log1p(const Arg& x) { return apply(op<ops::Log1p>, {x}); }
Tensor xlogy(const Arg& x, const Arg& y) { return apply(op<ops::Xlogy>, {x, y}); }
Tensor logaddexp(const Arg& a, const Arg& b) { return apply(op<ops::Logaddexp>, {a, b}); }

}  // namespace tapegrad
