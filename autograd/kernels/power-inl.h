// x^p and its slope, of float in double on vector lanes, of double by the C library. Included once per
// target, see lanes_elementary.cpp.

#include <cmath>
#include <concepts>
#include <limits>

#include "autograd/kernels/lane_loop-inl.h"
#include "autograd/kernels/wide-inl.h"

#if defined(TAPEGRAD_KERNELS_POWER_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_POWER_INL_H
#undef TAPEGRAD_KERNELS_POWER_INL_H
#else
#define TAPEGRAD_KERNELS_POWER_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

// e^y for a float result; beyond float's range far enough to become 0 or infinite with any factor that a
// float can be.
template <class D, class V>
HWY_INLINE HWY_ATTR V exp_for_float(D d, V y) {
  return exp_times<float>(d, at_most(d, at_least(d, y, -200.0), 200.0), Set(d, 1.0));
}

// x^p in double for a float result, |x| a number of float's range or not finite, by the rules of C's pow. The
// logarithm is good to 2^−37 of itself, and |p·ln |x|| is below 104 where the result is a number of float's
// range: x^p is then off by 2^−30 of itself.
template <class D, class V>
HWY_INLINE HWY_ATTR V power_for_float(D d, V x, V p) {
  const V zero = Zero(d), one = Set(d, 1.0), size = Abs(x);
  const V inf = Set(d, std::numeric_limits<double>::infinity());
  const auto normal = Lt(size, inf);
  const Split<V> of = split(d, size);
  V log_x = log_sum(d, of.e, Sub(of.m, one), zero, Wide<float>::kLog);
  if (HWY_LIKELY(AllTrue(d, And(And(Gt(x, zero), normal), Lt(Abs(p), inf)))))
    return exp_for_float(d, Mul(p, log_x));

  log_x = IfThenElse(normal, log_x, size);
  log_x = IfThenElse(Eq(size, zero), Neg(inf), log_x);
  const V exponent = Mul(p, log_x);
  V y = exp_for_float(d, exponent);
  y = IfThenElse(Eq(exponent, inf), inf, IfThenZeroElse(Eq(exponent, Neg(inf)), y));
  y = IfThenElse(Eq(p, zero), one, y);
  y = IfThenElse(And(Eq(size, one), Eq(p, p)), one, y);  // also where p is infinite
  y = IfThenElse(Eq(x, one), one, y);                    // also where p is NaN
  // Infinite p are even, and so are all from 2^53 on.
  const V half = Mul(p, Set(d, 0.5));
  const auto whole = Eq(Trunc(p), p);
  const auto odd = And(whole, Not(Eq(Trunc(half), half)));
  y = IfThenElse(odd, CopySign(y, x), y);
  const auto nothing = AndNot(whole, And(And(Lt(x, zero), normal), Eq(p, p)));
  return IfThenElse(nothing, Set(d, std::numeric_limits<double>::quiet_NaN()), y);
}

struct PowerForFloat {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x, V p) {
    return power_for_float(d, x, p);
  }
};

// p·x^(p−1), and 0 for p = 0.
struct PowerSlopeForFloat {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x, V p) {
    return IfThenZeroElse(Eq(p, Zero(d)), Mul(p, power_for_float(d, x, Sub(p, Set(d, 1.0)))));
  }
};

template <class D>
concept FloatLanes = std::same_as < TFromD<D>,
float > ;

template <>
struct Formula<Lane::pow> {
  template <FloatLanes D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x, V p) {
    return in_double<PowerForFloat>(d, x, p);
  }
  static double scalar(std::same_as<double> auto x, std::same_as<double> auto p) { return std::pow(x, p); }
};

template <>
struct Formula<Lane::pow_backward_x> {
  template <FloatLanes D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V x, V p) {
    return pole_mul(d, g, in_double<PowerSlopeForFloat>(d, x, p));
  }
  static double scalar(std::same_as<double> auto g, std::same_as<double> auto x,
                       std::same_as<double> auto p) {
    const double df = slope(x, p);
    return g == 0 && !std::isfinite(df) ? 0 : g * df;
  }

 private:
  static double slope(double x, double p) {
    if (p == 0) return 0;
    const double less = p - 1;
    const double df = p * std::pow(x, less);
    // What p − 1 lost by rounding counts in the exponent.
    const double lost = std::abs(p) < 1 ? p - (less + 1) : (p - less) - 1;
    return lost != 0 && x > 0 && std::isfinite(x) && std::isfinite(df) ? df + df * (lost * std::log(x)) : df;
  }
};

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
