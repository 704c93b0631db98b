// The formulas of exponentials and logarithms of other bases than e, and of logarithms of two operands.
// Included once per target, see lanes_exponential.cpp.

#include <limits>

#include "autograd/kernels/lane_loop-inl.h"
#include "autograd/kernels/wide-inl.h"

#if defined(TAPEGRAD_KERNELS_EXPONENTIAL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_EXPONENTIAL_INL_H
#undef TAPEGRAD_KERNELS_EXPONENTIAL_INL_H
#else
#define TAPEGRAD_KERNELS_EXPONENTIAL_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

// (2^r − 1)/r for |r| ≤ ½; 2^r is then good to 2^−29 and 2^−55.
template <class T>
struct PowerOfTwo;
template <>
struct PowerOfTwo<float> {
  static constexpr float kMin = -152, kMax = 129;  // beyond, 2^x is 0 and infinite
  static constexpr float kExp2[] = {0x1.62e43p-1f,   0x1.ebfbep-3f,   0x1.c6b08ep-5f, 0x1.3b2a1cp-7f,
                                    0x1.5d874cp-10f, 0x1.444028p-13f, 0x1.00dc66p-16f};
};
template <>
struct PowerOfTwo<double> {
  static constexpr double kMin = -1077, kMax = 1025;
  static constexpr double kExp2[] = {0x1.62e42fefa39efp-1,  0x1.ebfbdff82c598p-3,  0x1.c6b08d704a0cbp-5,
                                     0x1.3b2ab6fba1dc4p-7,  0x1.5d87fe78a2ca9p-10, 0x1.4309130975969p-13,
                                     0x1.ffcbfc74490dfp-17, 0x1.62bfd466296f1p-20, 0x1.b524dca76a1eep-24,
                                     0x1.e60661b7626b1p-28, 0x1.ea046345da0c4p-32};
};

template <>
struct Formula<Lane::exp2> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    using T = TFromD<D>;
    const V round = Set(d, Elementary<T>::kRound);
    const V within = at_most(d, at_least(d, x, PowerOfTwo<T>::kMin), PowerOfTwo<T>::kMax);
    const V n = Sub(Add(within, round), round);
    const V r = Sub(within, n);
    const Halves<V> power = power_in_halves(d, n);
    return Mul(Mul(MulAdd(r, polynomial(d, r, PowerOfTwo<T>::kExp2), Set(d, T{1})), power.a), power.b);
  }
};

// e·(high + low) + unit·ln m for x = 2^e·m, in double.
template <class T, class D, class V>
HWY_INLINE HWY_ATTR V log_of_base(D d, V x, double high, double low, double unit) {
  V scaled = x, lift = Zero(d);
  if constexpr (sizeof(T) == 8) {
    const auto denormal = Lt(x, Set(d, std::numeric_limits<double>::min()));
    scaled = IfThenElse(denormal, Mul(x, Set(d, 0x1p52)), x);
    lift = IfThenElseZero(denormal, Set(d, 52.0));
  }
  const Split<V> of = split(d, scaled);
  const V e = Sub(of.e, lift);
  const V ln = log_sum(d, Zero(d), Sub(of.m, Set(d, 1.0)), Zero(d), Wide<T>::kLog);
  return log_specials(d, x, MulAdd(e, Set(d, high), MulAdd(ln, Set(d, unit), Mul(e, Set(d, low)))));
}

struct Log2 {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    return log_of_base<T>(d, x, 1, 0, 0x1.71547652b82fep+0);
  }
};
struct Log10 {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    // log10 2 in two parts, the first of 42 digits, so that its product with e is exact; log10 of e.
    return log_of_base<T>(d, x, 0x1.34413509f78p-2, 0x1.fef311f12b358p-46, 0x1.bcb7b1526e50ep-2);
  }
};
template <>
struct Formula<Lane::log2> : InDouble<Log2> {};
template <>
struct Formula<Lane::log10> : InDouble<Log10> {};

template <>
struct Formula<Lane::xlogy> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x, V y) {
    const auto nothing = And(Eq(x, Zero(d)), Eq(y, y));
    return IfThenZeroElse(nothing, Mul(x, log(d, y)));
  }
};

// (ln((1+s)/(1−s)) − 2s)/s³ as a polynomial in s² for s ≤ 1/3; the logarithm is good to 2^−33 and 2^−62.
template <class T>
struct SoftLogarithm;
template <>
struct SoftLogarithm<float> {
  static constexpr double kLog[] = {0x1.5555581864c7dp-1, 0x1.9996cba834b92p-2, 0x1.250623fdf1287p-2,
                                    0x1.b71792df84797p-3, 0x1.f0ce3f2f92c31p-3};
};
template <>
struct SoftLogarithm<double> {
  static constexpr double kLog[] = {0x1.5555555555556p-1, 0x1.999999999966dp-2, 0x1.24924924b9490p-2,
                                    0x1.c71c71aa4fa10p-3, 0x1.745d1d551a05bp-3, 0x1.3b12e6984d565p-3,
                                    0x1.11223a8494e18p-3, 0x1.dff832096d2f3p-4, 0x1.c0e4d4054f8dep-4,
                                    0x1.20781da6eaf01p-4, 0x1.4faede44097d8p-3};
};

// max(a, b) + ln(1 + e^−|a−b|), the logarithm from s = e/(2 + e).
struct LogAddExp {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V a, V b) {
    // Equal infinities differ by nothing.
    const V apart = IfThenZeroElse(Eq(a, b), Sub(a, b));
    const V x = at_least(d, Neg(Abs(apart)), double{Elementary<T>::kExpMin});
    const V e = exp_times<T>(d, x, Set(d, 1.0));
    const V s = Div(e, Add(e, Set(d, 2.0)));
    const V z = Mul(s, s);
    const V ln = MulAdd(Mul(s, z), polynomial(d, z, SoftLogarithm<T>::kLog), Add(s, s));
    return Add(IfThenElse(Gt(a, b), a, b), ln);
  }
};
template <>
struct Formula<Lane::logaddexp> : InDouble<LogAddExp> {};

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
