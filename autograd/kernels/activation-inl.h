// The formulas of the lanes of activations and of their derivatives. Included once per target, see
// lanes_activation.cpp.

#include "autograd/kernels/lane_loop-inl.h"
#include "autograd/kernels/log-inl.h"
#include "autograd/kernels/tanh-inl.h"

#if defined(TAPEGRAD_KERNELS_ACTIVATION_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_ACTIVATION_INL_H
#undef TAPEGRAD_KERNELS_ACTIVATION_INL_H
#else
#define TAPEGRAD_KERNELS_ACTIVATION_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

// e = e^−|x|, kept in parts besides: e = (1 + rest)·power.a·power.b. A result that is as small as e where x
// is negative takes the parts into its numerator and is multiplied by power.b at the end, so that it is
// rounded once where it is denormal, and e has lost its digits.
template <class V, class M>
struct Decay {
  V x;  // as given, but so near 0 that nothing overflows where x²·e is 0
  V e;
  V rest;
  Halves<V> power;
  M negative;

  // Where x is negative e·of_negative, still without power.b, which `scaled` puts in; else of_positive.
  HWY_INLINE HWY_ATTR V numerator(V of_negative, V of_positive) const {
    return IfThenElse(negative, Mul(MulAdd(of_negative, rest, of_negative), power.a), of_positive);
  }
  HWY_INLINE HWY_ATTR V scaled(V y) const { return IfThenElse(negative, Mul(y, power.b), y); }
};
template <class D, class V>
HWY_INLINE HWY_ATTR auto decay(D d, V x) {
  using T = TFromD<D>;
  const auto negative = Lt(x, Zero(d));
  const V down = at_least(d, Neg(Abs(x)), T{sizeof(T) == 4 ? -120 : -765});
  const Reduced<V> of = reduced(d, down);
  const Halves<V> power = power_in_halves(d, of.n);
  const V rest = MulAdd(Mul(of.r, of.r), polynomial(d, of.r, Elementary<T>::kExp), of.r);
  const V whole = Mul(power.a, power.b);
  return Decay<V, decltype(negative)>{IfThenElse(negative, down, Neg(down)), MulAdd(whole, rest, whole), rest,
                                      power, negative};
}

// (x, negative_slope)
template <>
struct Formula<Lane::leaky_relu> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x, V slope) {
    return IfThenElse(Gt(x, Zero(d)), x, Mul(x, slope));
  }
};

// (x, alpha)
template <>
struct Formula<Lane::elu> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x, V alpha) {
    return IfThenElse(Gt(x, Zero(d)), x, Mul(alpha, expm1(d, x)));
  }
};

template <>
struct Formula<Lane::selu> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    using T = TFromD<D>;
    constexpr double kScale = 1.0507009873554804934, kBelow = 1.7580993408473768599;
    const auto positive = Gt(x, Zero(d));
    const V scale = IfThenElse(positive, Set(d, T(kScale)), Set(d, T(kBelow)));
    return Mul(scale, IfThenElse(positive, x, expm1(d, x)));
  }
};

// (x, beta, threshold)
template <>
struct Formula<Lane::softplus> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x, V beta, V threshold) {
    using T = TFromD<D>;
    const V z = Mul(beta, x);
    const V e = exp_in_range(d, at_least(d, Neg(Abs(z)), Elementary<T>::kExpMin), T{1});
    const V y = Div(Add(IfThenZeroElse(Le(z, Zero(d)), z), log1p(d, e)), beta);
    return IfThenElse(Gt(z, threshold), x, y);
  }
};

// x/(1 + e^−x); for x < 0 x·e^x/(1 + e^x).
template <>
struct Formula<Lane::silu> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    const auto by = decay(d, x);
    return by.scaled(Div(by.numerator(by.x, x), Add(by.e, Set(d, TFromD<D>{1}))));
  }
};

// x·tanh(ln(1 + e^x)) = x·n/(n + 2) with n = e^x·(e^x + 2), as z·(1 − c) for a small c: with e = e^x
// z = x·e and c = e·(1 + e)/(2 + 2e + e²); for x ≥ 0 with e = e^−x z = x and c = 2e²/(1 + 2e + 2e²).
template <>
struct Formula<Lane::mish> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    using T = TFromD<D>;
    const auto by = decay(d, x);
    const V one = Set(d, T{1}), two = Set(d, T{2});
    const V twice = Add(by.e, by.e);
    const V denominator =
        IfThenElse(by.negative, MulAdd(by.e, Add(by.e, two), two), MulAdd(twice, by.e, Add(twice, one)));
    const V c = Div(Mul(by.e, IfThenElse(by.negative, Add(by.e, one), twice)), denominator);
    const V z = by.numerator(by.x, x);
    return by.scaled(NegMulAdd(IfThenElse(by.negative, z, by.x), c, z));
  }
};

// (x, min_val, max_val)
template <>
struct Formula<Lane::hardtanh> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D, V x, V low, V high) {
    return IfThenElse(Lt(x, low), low, IfThenElse(Gt(x, high), high, x));
  }
};

// (x, min, max)
template <>
struct Formula<Lane::clamp> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D, V x, V low, V high) {
    const V y = IfThenElse(Or(Lt(x, low), IsNaN(low)), low, x);
    return IfThenElse(Or(Gt(y, high), IsNaN(high)), high, y);
  }
};

template <>
struct Formula<Lane::leaky_relu_backward> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V x, V slope) {
    return IfThenElse(Gt(x, Zero(d)), g, pole_mul(d, g, slope));
  }
};

template <>
struct Formula<Lane::softplus_backward> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V x, V beta, V threshold) {
    const V z = Mul(beta, x);
    return pole_mul(d, g, IfThenElse(Gt(z, threshold), Set(d, TFromD<D>{1}), sigmoid(d, z)));
  }
};

// e·(1 + x + e)/(1 + e)² with e = e^x; for x ≥ 0 (1 + (1 + x)·e)/(1 + e)² with e = e^−x.
template <>
struct Formula<Lane::silu_backward> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V x) {
    const V one = Set(d, TFromD<D>{1}), two = Set(d, TFromD<D>{2});
    const auto by = decay(d, x);
    const V next = Add(by.x, one);
    const V numerator = by.numerator(Add(next, by.e), MulAdd(next, by.e, one));
    return pole_mul(d, g, by.scaled(Div(numerator, MulAdd(by.e, Add(by.e, two), one))));
  }
};

// With u = 4(x + 1), v = u + 2 and e = e^x it is e·(u + v·e + 4e² + e³)/(2 + 2e + e²)²; for x ≥ 0 with
// e = e^−x (1 + 4e + v·e² + u·e³)/(1 + 2e + 2e²)². The squares as polynomials, which are rounded less.
template <>
struct Formula<Lane::mish_backward> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V x) {
    using T = TFromD<D>;
    const V one = Set(d, T{1}), four = Set(d, T{4}), eight = Set(d, T{8});
    const auto by = decay(d, x);
    const V e = by.e;
    const V u = Mul(four, Add(by.x, one));
    const V v = Add(u, Set(d, T{2}));
    const V below = MulAdd(e, MulAdd(e, Add(e, four), v), u);
    const V above = MulAdd(e, MulAdd(e, MulAdd(e, u, v), four), one);
    const V square_below = MulAdd(e, MulAdd(e, MulAdd(e, Add(e, four), eight), eight), four);
    const V square_above = MulAdd(e, MulAdd(e, MulAdd(e, MulAdd(e, four, eight), eight), four), one);
    const V square = IfThenElse(by.negative, square_below, square_above);
    return pole_mul(d, g, by.scaled(Div(by.numerator(below, above), square)));
  }
};

template <>
struct Formula<Lane::hardtanh_backward> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D, V g, V x, V low, V high) {
    return IfThenZeroElse(Or(Le(x, low), Ge(x, high)), g);
  }
};

template <>
struct Formula<Lane::clamp_backward> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D, V g, V x, V low, V high) {
    return IfThenElseZero(And(Ge(x, low), Le(x, high)), g);
  }
};

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
