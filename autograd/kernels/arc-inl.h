// The inverse functions of sine, cosine and tangent on lanes of double, for results that are rounded to T,
// and the length of a vector. Included once per target, see lanes_trigonometric.cpp.

#include <limits>

#include "autograd/kernels/exp-inl.h"

#if defined(TAPEGRAD_KERNELS_ARC_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_ARC_INL_H
#undef TAPEGRAD_KERNELS_ARC_INL_H
#else
#define TAPEGRAD_KERNELS_ARC_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

// π = kPiHigh + kPiLow, to twice the digits of double.
inline constexpr double kPiHigh = 0x1.921fb54442d18p+1, kPiLow = 0x1.1a62633145c07p-53;

// Minimax polynomials in z = t²: (asin t/t − 1)/z for t ≤ ½, to 2^−35 of the arc for float and 2^−59 for
// double; (atan t/t − 1)/z for t ≤ 1, to 2^−33 and 2^−60.
template <class T>
struct Arc;
template <>
struct Arc<float> {
  static constexpr double kAsin[] = {0x1.55555605cd38cp-3, 0x1.3332aa0606be6p-4, 0x1.6ddabff6e2251p-5,
                                     0x1.ed5d163a51a62p-6, 0x1.931fa3b078ca0p-6, 0x1.ec240b5715486p-8,
                                     0x1.1bd29fce2c566p-5};
  static constexpr double kAtan[] = {-0x1.555554874244fp-2, 0x1.999937f2f9fb6p-3,  -0x1.248a2cb572131p-3,
                                     0x1.c66e4cf6db174p-4,  -0x1.700b24a0e0f61p-4, 0x1.2958ac4002ce9p-4,
                                     -0x1.be980ae67b240p-5, 0x1.1a6cdab8412dcp-5,  -0x1.0b0c60d147b54p-6,
                                     0x1.42d9b5ffa97a1p-8,  -0x1.6decf4ef98909p-11};
};
template <>
struct Arc<double> {
  static constexpr double kAsin[] = {0x1.5555555555577p-3, 0x1.333333332e101p-4, 0x1.6db6db7214306p-5,
                                     0x1.f1c71a9463e87p-6, 0x1.6e8bdeede479cp-6, 0x1.1c49ef831a716p-6,
                                     0x1.ca1f9fe3ebff6p-7, 0x1.7584ff32c3d53p-7, 0x1.613f5b8d386e2p-7,
                                     0x1.e5cde2fc3eee3p-9, 0x1.63a7c838a9635p-6, -0x1.580ca59a85518p-6,
                                     0x1.0b4b3da92908bp-5};
  static constexpr double kAtan[] = {-0x1.555555555554dp-2,  0x1.9999999998c28p-3,  -0x1.2492492456ae4p-3,
                                     0x1.c71c71b629b09p-4,   -0x1.745d15d03b3c1p-4, 0x1.3b139bcefe019p-4,
                                     -0x1.1110326b17ebcp-4,  0x1.e1d4872d8bf84p-5,  -0x1.aeda52334275ep-5,
                                     0x1.84b45028e16eap-5,   -0x1.5f2421bb4fd8fp-5, 0x1.39044e5945885p-5,
                                     -0x1.0c9402d188fa2p-5,  0x1.ac77fb777b1b3p-6,  -0x1.30f989c987c4fp-6,
                                     0x1.72db35942a4c1p-7,   -0x1.6fd01305e12d6p-8, 0x1.1a0329f3db72cp-9,
                                     -0x1.36d896a62cbb1p-11, 0x1.b3ab47811510bp-14, -0x1.2262d1ef49b21p-17};
};

// A sum whose second part is far smaller.
template <class V>
struct Parts {
  V whole, part;
};

// share·π + (a.whole + a.part), rounded as a whole for double; share is 0 or share·π ≥ |a.whole|.
template <class T, class D, class V>
HWY_INLINE HWY_ATTR V plus_pi(D d, V share, Parts<V> a) {
  if constexpr (sizeof(T) == 4) return MulAdd(share, Set(d, kPiHigh), Add(a.whole, a.part));
  const V pi = Mul(share, Set(d, kPiHigh));
  const V whole = Add(pi, a.whole);
  const V lost = Add(Sub(pi, whole), a.whole);
  return Add(whole, Add(lost, MulAdd(share, Set(d, kPiLow), a.part)));
}
template <class V>
HWY_INLINE HWY_ATTR Parts<V> negated(Parts<V> a) {
  return {Neg(a.whole), Neg(a.part)};
}
template <class M, class V>
HWY_INLINE HWY_ATTR Parts<V> choose(M condition, Parts<V> a, Parts<V> b) {
  return {IfThenElse(condition, a.whole, b.whole), IfThenElse(condition, a.part, b.part)};
}

// For a = |x| < ½ asin a; beyond, (π/2 − asin a)/2, from √((1 − a)/2), which loses nothing near 1.
template <class T, class D, class V>
HWY_INLINE HWY_ATTR Parts<V> arc_sine(D d, V a) {
  const V half = Set(d, 0.5);
  const auto near = Lt(a, half);
  const V z = IfThenElse(near, Mul(a, a), NegMulAdd(half, a, half));
  const V t = IfThenElse(near, a, Sqrt(z));
  return {t, Mul(Mul(t, z), polynomial(d, z, Arc<T>::kAsin))};
}

struct Asin {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V of(D d, V x) {
    const V a = Abs(x);
    const Parts<V> arc = arc_sine<T>(d, a);
    const auto near = Lt(a, Set(d, 0.5));
    const Parts<V> rest = {Mul(arc.whole, Set(d, -2.0)), Mul(arc.part, Set(d, -2.0))};
    const V y = plus_pi<T>(d, IfThenZeroElse(near, Set(d, 0.5)), choose(near, arc, rest));
    return CopySignToAbs(y, x);
  }
};

// π/2 − asin x, 2·arc where x ≥ ½, π − 2·arc where x ≤ −½.
struct Acos {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V of(D d, V x) {
    const V a = Abs(x), zero = Zero(d);
    const Parts<V> arc = arc_sine<T>(d, a);
    const auto near = Lt(a, Set(d, 0.5));
    const V far_share = IfThenElseZero(Lt(x, zero), Set(d, 1.0));
    // The factor of the arc: ∓1 near 0, ±2 far from it.
    const V factor = Mul(CopySign(Set(d, 1.0), x), IfThenElse(near, Set(d, -1.0), Set(d, 2.0)));
    return plus_pi<T>(d, IfThenElse(near, Set(d, 0.5), far_share),
                      Parts<V>{Mul(arc.whole, factor), Mul(arc.part, factor)});
  }
};

// atan t for 0 ≤ t ≤ 1.
template <class T, class D, class V>
HWY_INLINE HWY_ATTR Parts<V> arc_tangent(D d, V t) {
  const V z = Mul(t, t);
  return {t, Mul(Mul(t, z), polynomial(d, z, Arc<T>::kAtan))};
}

struct Atan {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V of(D d, V x) {
    const V one = Set(d, 1.0);
    const V a = Abs(x);
    const auto steep = Gt(a, one);
    const V t = Div(IfThenElse(steep, one, a), IfThenElse(steep, a, one));
    const Parts<V> arc = arc_tangent<T>(d, t);
    const V y = plus_pi<T>(d, IfThenElseZero(steep, Set(d, 0.5)), choose(steep, negated(arc), arc));
    return CopySignToAbs(y, x);
  }
};

// The arc itself, π/2 ± it or π − it.
struct Atan2 {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V of(D d, V y, V x) {
    const V one = Set(d, 1.0), zero = Zero(d);
    const V a = Abs(y), b = Abs(x);
    const auto steep = Gt(a, b);
    const auto left = Lt(CopySignToAbs(one, x), zero);  // of −0 too
    const V over = IfThenElse(steep, b, a), below = IfThenElse(steep, a, b);
    const V t = IfThenElse(Eq(over, below), IfThenElseZero(Gt(over, zero), one), Div(over, below));
    const Parts<V> arc = arc_tangent<T>(d, t);
    const V share = IfThenElse(steep, Set(d, 0.5), IfThenElseZero(left, one));
    return CopySignToAbs(plus_pi<T>(d, share, choose(Xor(steep, left), negated(arc), arc)), y);
  }
};

// Two numbers of either type, by size and times a power of two that keeps the sum of their squares in range.
template <class V>
struct Scaled {
  V most, least;  // |a| and |b| as they were
  V scale, back;  // the power of two and its inverse
  V squares;      // (scale·a)² + (scale·b)²
};
template <class D, class V>
HWY_INLINE HWY_ATTR Scaled<V> scaled(D d, V a, V b) {
  using T = TFromD<D>;
  constexpr bool kSingle = sizeof(T) == 4;
  constexpr T kLarge = static_cast<T>(kSingle ? 0x1p63 : 0x1p511);
  constexpr T kSmall = static_cast<T>(kSingle ? 0x1p-60 : 0x1p-450);
  constexpr T kUp = static_cast<T>(kSingle ? 0x1p96 : 0x1p600), kDown = 1 / kUp;
  const V one = Set(d, T{1}), up = Set(d, kUp), down = Set(d, kDown);
  a = Abs(a);
  b = Abs(b);
  const auto first = Gt(a, b);
  const V most = IfThenElse(first, a, b), least = IfThenElse(first, b, a);
  const auto large = Gt(most, Set(d, kLarge)), small = Lt(most, Set(d, kSmall));
  const V scale = IfThenElse(large, down, IfThenElse(small, up, one));
  const V back = IfThenElse(large, up, IfThenElse(small, down, one));
  const V p = Mul(most, scale), q = Mul(least, scale);
  return {most, least, scale, back, MulAdd(p, p, Mul(q, q))};
}

template <class D, class V>
HWY_INLINE HWY_ATTR V hypot(D d, V a, V b) {
  const V inf = Set(d, std::numeric_limits<TFromD<D>>::infinity());
  const Scaled<V> of = scaled(d, a, b);
  return IfThenElse(Or(Eq(of.most, inf), Eq(of.least, inf)), inf, Mul(Sqrt(of.squares), of.back));
}

// a/(a² + b²); 0 at (0, 0), as it is at infinity.
template <class D, class V>
HWY_INLINE HWY_ATTR V over_squares(D d, V a, V b) {
  const V inf = Set(d, std::numeric_limits<TFromD<D>>::infinity());
  const Scaled<V> of = scaled(d, a, b);
  const auto end = Or(Eq(of.most, Zero(d)), Eq(of.most, inf));
  const V share = Mul(Div(Mul(a, of.scale), of.squares), of.scale);
  return IfThenZeroElse(And(end, Eq(of.least, of.least)), share);
}

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
