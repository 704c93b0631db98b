// Sine, cosine and tangent on lanes of double, for results that are rounded to T. Included once per target,
// see lanes_trigonometric.cpp.

#include "autograd/kernels/exp-inl.h"
#include "autograd/kernels/quarter_turns.h"

#if defined(TAPEGRAD_KERNELS_SINE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_SINE_INL_H
#undef TAPEGRAD_KERNELS_SINE_INL_H
#else
#define TAPEGRAD_KERNELS_SINE_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

// Up to this magnitude x is reduced on lanes, beyond element by element.
inline constexpr double kNear = 0x1p20;

// Adding it rounds to an integer, whose lowest bits are then those of the sum.
inline constexpr double kToInteger = 0x1.8p52;

// π and π/2 in parts; n times each but the last is exact for |n| ≤ 2^20 (Cody and Waite, Software Manual for
// the Elementary Functions, 1980).
inline constexpr double kPi[] = {0x1.921fb544p+1, 0x1.0b4611a626331p-33};
inline constexpr double kHalfPi[] = {0x1.921fb544p+0, 0x1.0b4611a6p-34, 0x1.3198a2ep-69,
                                     0x1.b839a252049c1p-104};
inline constexpr double kInvPi = 0x1.45f306dc9c883p-2, kInvHalfPi = 0x1.45f306dc9c883p-1;

// Minimax polynomials in z = r²: (sin r/r − 1)/z for |r| ≤ π/2, to 2^−35 of the sine; (sin r/r − 1)/z and
// (cos r − 1 + z/2)/z² for |r| ≤ π/4, to 2^−37 and 2^−33, and for double to 2^−57 and 2^−63.
inline constexpr double kHalfWave[] = {-0x1.555555476addap-3, 0x1.11110c4a58edcp-7, -0x1.a017d9b8b93ecp-13,
                                       0x1.717082b9cc171p-19, -0x1.9a68b6def4625p-26};
inline constexpr double kSinSingle[] = {-0x1.5555554c7304ep-3, 0x1.1111086ad6e63p-7, -0x1.a00f7f53d4214p-13,
                                        0x1.6cd1f5acf41bap-19};
inline constexpr double kCosSingle[] = {0x1.55554a115890bp-5, -0x1.6c0c33a6779c7p-10, 0x1.99eb9bd34fe42p-16};
inline constexpr double kSinDouble[] = {-0x1.5555555555548p-3, 0x1.111111110f7d8p-7,   -0x1.a01a019bfebc5p-13,
                                        0x1.71de35686493ap-19, -0x1.ae5e5aec4e746p-26, 0x1.5d8fe654e336ap-33};
inline constexpr double kCosDouble[] = {0x1.555555555554bp-5,  -0x1.6c16c16c14f94p-10,
                                        0x1.a01a019c84836p-16, -0x1.27e4f7eade0ccp-22,
                                        0x1.1ee9d7bff786cp-29, -0x1.8fa49d6ac04dfp-37};

// y, negated where the lowest bit of the integer in `rounded` is set.
template <class D, class V>
HWY_INLINE HWY_ATTR V negated_if_odd(D d, V y, V rounded) {
  const RebindToUnsigned<D> du;
  return Xor(y, BitCast(d, ShiftLeft<63>(BitCast(du, rounded))));
}

// sin r for |r| ≤ π/2, good enough for float.
template <class D, class V>
HWY_INLINE HWY_ATTR V half_wave(D d, V r) {
  const V z = Mul(r, r);
  return MulAdd(Mul(r, z), polynomial(d, z, kHalfWave), r);
}

// A value as a sum, the second part far smaller.
template <class V>
struct Sum {
  V whole, part;
};

// x = n·π/2 + r + tail with |r| ≤ π/4 and n in the lowest bits of `rounded`. r + tail is good to 70 bits,
// also for those x that lie closest to a multiple of π/2.
template <class V>
struct Quadrant {
  V r, tail, rounded;
};

inline HWY_NOINLINE void put_far(const double* x, double* r, double* tail, double* rounded, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (x[i] >= -kNear && x[i] <= kNear) continue;
    const QuarterTurns turns = quarter_turns(x[i]);
    r[i] = turns.r;
    tail[i] = turns.tail;
    rounded[i] = kToInteger + turns.n;
  }
}
template <class D, class V>
HWY_INLINE HWY_ATTR Quadrant<V> with_far(D d, V x, Quadrant<V> q) {
  HWY_ALIGN double from[MaxLanes(d)], r[MaxLanes(d)], tail[MaxLanes(d)], rounded[MaxLanes(d)];
  Store(x, d, from);
  Store(q.r, d, r);
  Store(q.tail, d, tail);
  Store(q.rounded, d, rounded);
  put_far(from, r, tail, rounded, Lanes(d));
  return {Load(d, r), Load(d, tail), Load(d, rounded)};
}

template <class D, class V>
HWY_INLINE HWY_ATTR auto is_near(D d, V x) {
  return Le(Abs(x), Set(d, kNear));
}

template <class D, class V>
HWY_INLINE HWY_ATTR Quadrant<V> quadrant(D d, V x) {
  const V integer = Set(d, kToInteger);
  const V rounded = MulAdd(x, Set(d, kInvHalfPi), integer);
  const V n = Sub(rounded, integer);
  const V first = NegMulAdd(n, Set(d, kHalfPi[0]), x);  // exact
  const V second = Mul(n, Set(d, kHalfPi[1]));          // exact, as is the third
  const V left = Sub(first, second);
  const V third = Mul(n, Set(d, kHalfPi[2]));
  const V high = Sub(left, third);
  const V lost = Add(Sub(Sub(first, left), second), Sub(Sub(left, high), third));
  const V low = NegMulAdd(n, Set(d, kHalfPi[3]), lost);
  const V r = Add(high, low);
  const Quadrant<V> q = {r, Add(Sub(high, r), low), rounded};
  return HWY_LIKELY(AllTrue(d, is_near(d, x))) ? q : with_far(d, x, q);
}

// The sine and cosine of r + tail, to about 2^−56.
template <class D, class V>
HWY_INLINE HWY_ATTR Sum<V> sine(D d, V r, V tail) {
  const V z = Mul(r, r);
  const V turned = NegMulAdd(Mul(z, Set(d, 0.5)), tail, tail);
  return {r, MulAdd(Mul(r, z), polynomial(d, z, kSinDouble), turned)};
}
template <class D, class V>
HWY_INLINE HWY_ATTR Sum<V> cosine(D d, V r, V tail) {
  const V one = Set(d, 1.0);
  const V z = Mul(r, r);
  const V half = Mul(z, Set(d, 0.5));
  const V whole = Sub(one, half);
  const V bend = MulSub(Mul(z, z), polynomial(d, z, kCosDouble), Mul(r, tail));
  return {whole, Add(Sub(Sub(one, whole), half), bend)};
}

// Sine of x + quarters·π/2.
template <int kQuarters, class D, class V>
HWY_INLINE HWY_ATTR V shifted_sine(D d, V x) {
  const RebindToUnsigned<D> du;
  const Quadrant<V> q = quadrant(d, x);
  const Sum<V> s = sine(d, q.r, q.tail), c = cosine(d, q.r, q.tail);
  const auto turns = Add(BitCast(du, q.rounded), Set(du, uint64_t{kQuarters}));
  const auto odd = RebindMask(d, TestBit(turns, Set(du, uint64_t{1})));
  const V y = Add(IfThenElse(odd, c.whole, s.whole), IfThenElse(odd, c.part, s.part));
  return Xor(y, BitCast(d, ShiftLeft<62>(And(turns, Set(du, uint64_t{2})))));
}

// sin/cos, or −cos/sin in every second quadrant.
template <class D, class V>
HWY_INLINE HWY_ATTR V tangent(D d, V rounded, Sum<V> s, Sum<V> c) {
  const RebindToUnsigned<D> du;
  const auto odd = RebindMask(d, TestBit(BitCast(du, rounded), Set(du, uint64_t{1})));
  const V below = IfThenElse(odd, s.whole, c.whole);
  const V y = Div(IfThenElse(odd, c.whole, s.whole), below);
  const V over_part = IfThenElse(odd, c.part, s.part), below_part = IfThenElse(odd, s.part, c.part);
  return negated_if_odd(d, Add(y, Div(NegMulAdd(y, below_part, over_part), below)), rounded);
}

// The same sum, its whole rounded to nearest.
template <class V>
HWY_INLINE HWY_ATTR Sum<V> normalised(Sum<V> a) {
  const V whole = Add(a.whole, a.part);
  return {whole, Add(Sub(a.whole, whole), a.part)};
}

// For results in double, and for far x.
struct SinDouble {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V of(D d, V x) {
    return shifted_sine<0>(d, x);
  }
};
struct CosDouble {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V of(D d, V x) {
    return shifted_sine<1>(d, x);
  }
};
struct TanDouble {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V of(D d, V x) {
    const Quadrant<V> q = quadrant(d, x);
    return tangent(d, q.rounded, normalised(sine(d, q.r, q.tail)), normalised(cosine(d, q.r, q.tail)));
  }
};

// For results in float of near x.
struct SinSingle {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V of(D d, V x) {
    const V integer = Set(d, kToInteger);
    const V rounded = MulAdd(x, Set(d, kInvPi), integer);
    const V n = Sub(rounded, integer);
    const V r = NegMulAdd(n, Set(d, kPi[1]), NegMulAdd(n, Set(d, kPi[0]), x));
    return negated_if_odd(d, half_wave(d, r), rounded);
  }
};
struct CosSingle {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V of(D d, V x) {
    // cos x = (−1)^m·sin(n·π − x) with n = m + ½.
    const V integer = Set(d, kToInteger), half = Set(d, 0.5);
    const V rounded = Add(MulSub(x, Set(d, kInvPi), half), integer);
    const V n = Add(Sub(rounded, integer), half);
    const V r = MulAdd(n, Set(d, kPi[1]), MulSub(n, Set(d, kPi[0]), x));
    return negated_if_odd(d, half_wave(d, r), rounded);
  }
};
struct TanSingle {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V of(D d, V x) {
    const RebindToUnsigned<D> du;
    const V integer = Set(d, kToInteger);
    const V rounded = MulAdd(x, Set(d, kInvHalfPi), integer);
    const V n = Sub(rounded, integer);
    const V r = NegMulAdd(n, Set(d, kHalfPi[1]), NegMulAdd(n, Set(d, kHalfPi[0]), x));
    const V z = Mul(r, r);
    const V s = MulAdd(Mul(r, z), polynomial(d, z, kSinSingle), r);
    const V c = MulAdd(z, MulSub(z, polynomial(d, z, kCosSingle), Set(d, 0.5)), Set(d, 1.0));
    const auto odd = RebindMask(d, TestBit(BitCast(du, rounded), Set(du, uint64_t{1})));
    return negated_if_odd(d, Div(IfThenElse(odd, c, s), IfThenElse(odd, s, c)), rounded);
  }
};

// One function from its two forms; an odd one keeps the sign of 0.
template <class Single, class Double, bool kOdd>
struct Periodic {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V of(D d, V x) {
    V y;
    if constexpr (sizeof(T) == 8) {
      y = Double::of(d, x);
    } else {
      y = Single::of(d, x);
      const auto near = is_near(d, x);
      if (HWY_UNLIKELY(!AllTrue(d, near))) y = IfThenElse(near, y, Double::of(d, x));
    }
    return kOdd ? IfThenElse(Eq(x, Zero(d)), x, y) : y;
  }
};
using Sin = Periodic<SinSingle, SinDouble, true>;
using Cos = Periodic<CosSingle, CosDouble, false>;
using Tan = Periodic<TanSingle, TanDouble, true>;

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
