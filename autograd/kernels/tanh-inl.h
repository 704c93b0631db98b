// The two saturating functions and their slopes on vector lanes. Included once per target, see
// lanes_elementary.cpp.

#include "autograd/kernels/exp-inl.h"

#if defined(TAPEGRAD_KERNELS_TANH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_TANH_INL_H
#undef TAPEGRAD_KERNELS_TANH_INL_H
#else
#define TAPEGRAD_KERNELS_TANH_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

// (whole + part)/(1 + y) for y ≈ whole + part ≥ 0, with y itself rounded once more than `whole` and `part`.
// As whole + (part − whole·y)/(1 + y) where `whole` is small: there the roundings of y and 1 + y hardly
// count.
template <class D, class V>
HWY_INLINE HWY_ATTR V saturate(D d, V whole, V part, V y) {
  using T = TFromD<D>;
  const auto small = Lt(whole, Set(d, T{0.4}));
  const V first = IfThenElseZero(small, whole);
  return Add(first, Div(NegMulAdd(first, y, IfThenElse(small, part, y)), Add(y, Set(d, T{1}))));
}

// tanh |x| = h/(1 + h) with h = (e^{2|x|} − 1)/2.
template <class D, class V>
HWY_INLINE HWY_ATTR V tanh(D d, V x) {
  using T = TFromD<D>;
  const V a = Abs(x);
  // From 20 (float: 10) on, tanh rounds to 1.
  const HalfExpm1<V> h = half_expm1_in_range(d, at_most(d, Add(a, a), T{sizeof(T) == 4 ? 20 : 40}));
  return CopySignToAbs(saturate(d, h.whole, h.part, Add(h.whole, h.part)), x);
}

// With e = e^{-|x|}: e/(1 + e) for x < 0, 1/(1 + e) otherwise. Nothing overflows or cancels.
template <class D, class V>
HWY_INLINE HWY_ATTR V sigmoid(D d, V x) {
  using T = TFromD<D>;
  const Reduced<V> of = reduced(d, at_least(d, Neg(Abs(x)), Elementary<T>::kExpMin));
  const V rest = MulAdd(Mul(of.r, of.r), polynomial(d, of.r, Elementary<T>::kExp), of.r);
  // e = whole + part, a power of two and what it lacks.
  const V whole = times_power<true>(d, Set(d, T{1}), of.n);
  const V part = times_power<true>(d, rest, of.n);
  const V e = Add(whole, part);
  const V one = Set(d, T{1});
  const auto negative = Lt(x, Zero(d));
  const auto small = And(Lt(whole, Set(d, T{0.3})), negative);
  const V first = IfThenElseZero(small, whole);
  const V second = IfThenElse(small, part, IfThenElse(negative, e, one));
  return Add(first, Div(NegMulAdd(first, e, second), Add(e, one)));
}

// tanh' = 4·e/(1 + e)² with e = e^{-2|x|}, and sigmoid' = e/(1 + e)² with e = e^{-|x|}. Nothing cancels, also
// where the function saturates and 1 − y² would have lost its digits.
template <class D, class V>
HWY_INLINE HWY_ATTR V tanh_slope(D d, V x) {
  using T = TFromD<D>;
  const V a = Abs(x);
  const V four_e = exp_in_range<true>(d, at_least(d, Neg(Add(a, a)), Elementary<T>::kExpMin), T{4});
  const V square = MulAdd(four_e, MulAdd(four_e, Set(d, T{0.0625}), Set(d, T{0.5})), Set(d, T{1}));
  return Div(four_e, square);
}

template <class D, class V>
HWY_INLINE HWY_ATTR V sigmoid_slope(D d, V x) {
  using T = TFromD<D>;
  const V e = exp_below(d, Neg(Abs(x)));
  return Div(e, MulAdd(e, Add(e, Set(d, T{2})), Set(d, T{1})));
}

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
