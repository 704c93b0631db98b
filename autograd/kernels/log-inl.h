// ln x and ln(1 + x) on vector lanes. Included once per target, see lanes_elementary.cpp.

#include <limits>

#include "autograd/kernels/exp-inl.h"

#if defined(TAPEGRAD_KERNELS_LOG_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_LOG_INL_H
#undef TAPEGRAD_KERNELS_LOG_INL_H
#else
#define TAPEGRAD_KERNELS_LOG_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

template <class T>
struct Logarithm;

template <>
struct Logarithm<float> {
  static constexpr uint32_t kOne = 0x3f800000, kSqrtHalf = 0x3f3504f3, kMantissa = 0x007fffff;
  static constexpr float kInteger = 0x1p23f;  // its lowest bits count units
  static constexpr float kBias = 127;
  // (ln((1+s)/(1−s)) − 2s) / s³ as a polynomial in s² ≤ 0.02945; the logarithm is then good to 2^−28.
  static constexpr float kLog[] = {0x1.55555cp-1f, 0x1.997b8ep-2f, 0x1.2ef8e8p-2f};
};

template <>
struct Logarithm<double> {
  static constexpr uint64_t kOne = 0x3ff0000000000000, kSqrtHalf = 0x3fe6a09e667f3bcd;
  static constexpr uint64_t kMantissa = 0x000fffffffffffff;
  static constexpr double kInteger = 0x1p52;
  static constexpr double kBias = 1023;
  // As above; the logarithm is good to 2^−57.
  static constexpr double kLog[] = {0x1.5555555555558p-1, 0x1.99999999952b9p-2, 0x1.2492492dfb9b8p-2,
                                    0x1.c71c62d649d8dp-3, 0x1.7462b925f9f6fp-3, 0x1.39fdcbbcee1c3p-3,
                                    0x1.2b5f5b2f70954p-3};
};

// x = 2^e·m with √½ ≤ m < √2, for normal x > 0.
template <class V>
struct Split {
  V e, m;
};
template <class D, class V>
HWY_INLINE HWY_ATTR Split<V> split(D d, V x) {
  using L = Logarithm<TFromD<D>>;
  const RebindToUnsigned<D> du;
  const auto shifted = Add(BitCast(du, x), Set(du, L::kOne - L::kSqrtHalf));
  const auto exponent = ShiftRight<Elementary<TFromD<D>>::kMantissaBits>(shifted);
  const auto mantissa = Add(And(shifted, Set(du, L::kMantissa)), Set(du, L::kSqrtHalf));
  const V integer = Set(d, L::kInteger);
  const V e = Sub(BitCast(d, Or(exponent, BitCast(du, integer))), Set(d, L::kInteger + L::kBias));
  return {e, BitCast(d, mantissa)};
}

// e·ln 2 + ln(1 + f) + c for √½ ≤ 1 + f < √2 and c far below the rest. With s = f/(2 + f),
// ln(1 + f) = ln((1+s)/(1−s)) = f − (f²/2 − s·(f²/2 + s²·P(s²))), the coefficients of P given.
template <class D, class V, size_t N>
HWY_INLINE HWY_ATTR V log_sum(D d, V e, V f, V c, const TFromD<D> (&p)[N]) {
  using T = TFromD<D>;
  using E = Elementary<T>;
  const V s = Div(f, Add(f, Set(d, T{2})));
  const V z = Mul(s, s);
  const V bend = Mul(Mul(f, f), Set(d, T{0.5}));
  const V tail = MulAdd(s, MulAdd(z, polynomial(d, z, p), bend), MulAdd(e, Set(d, E::kLn2Lo), c));
  return MulAdd(e, Set(d, E::kLn2Hi), Sub(f, Sub(bend, tail)));
}

template <class D, class V>
HWY_INLINE HWY_ATTR V log_sum(D d, V e, V f, V c) {
  return log_sum(d, e, f, c, Logarithm<TFromD<D>>::kLog);
}

// Puts in the logarithms of 0, of negative numbers, of +inf and of NaN.
template <class D, class V>
HWY_INLINE HWY_ATTR V log_specials(D d, V x, V y) {
  using Limits = std::numeric_limits<TFromD<D>>;
  const V inf = Set(d, Limits::infinity());
  y = IfThenElse(Eq(x, Zero(d)), Neg(inf), y);
  y = IfThenElse(Eq(x, inf), inf, y);
  return IfThenElse(Ge(x, Zero(d)), y, Set(d, Limits::quiet_NaN()));
}

// Whether every lane is a positive normal number.
template <class D, class V>
HWY_INLINE HWY_ATTR bool all_positive_normal(D d, V x) {
  using Limits = std::numeric_limits<TFromD<D>>;
  return AllTrue(d, And(Ge(x, Set(d, Limits::min())), Lt(x, Set(d, Limits::infinity()))));
}

template <class D, class V>
HWY_INLINE HWY_ATTR V log(D d, V x) {
  using T = TFromD<D>;
  const V one = Set(d, T{1});
  if (HWY_LIKELY(all_positive_normal(d, x))) {
    const Split<V> of = split(d, x);
    return log_sum(d, of.e, Sub(of.m, one), Zero(d));
  }
  constexpr int kScale = Elementary<T>::kMantissaBits;
  const auto denormal = Lt(x, Set(d, std::numeric_limits<T>::min()));
  const Split<V> of = split(d, IfThenElse(denormal, Mul(x, Set(d, T(int64_t{1} << kScale))), x));
  const V e = Sub(of.e, IfThenElseZero(denormal, Set(d, T(kScale))));
  return log_specials(d, x, log_sum(d, e, Sub(of.m, one), Zero(d)));
}

template <class D, class V>
HWY_INLINE HWY_ATTR V log1p(D d, V x) {
  const V one = Set(d, TFromD<D>{1});
  const V u = Add(x, one);
  const V part = Sub(u, x);
  const V lost = Add(Sub(x, Sub(u, part)), Sub(one, part));  // 1 + x = u + lost (Knuth's two-sum)
  const Split<V> of = split(d, u);
  const auto near_one = Eq(of.e, Zero(d));  // there f = x exactly
  const V f = IfThenElse(near_one, x, Sub(of.m, one));
  V y = log_sum(d, of.e, f, IfThenZeroElse(near_one, Div(lost, u)));
  if (HWY_UNLIKELY(!all_positive_normal(d, u))) y = log_specials(d, u, y);
  return IfThenElse(Eq(x, Zero(d)), x, y);
}

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
