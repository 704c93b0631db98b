// e^x and e^x − 1 on vector lanes. Included once per target, see lanes_elementary.cpp.

#include <hwy/highway.h>

#if defined(TAPEGRAD_KERNELS_EXP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_EXP_INL_H
#undef TAPEGRAD_KERNELS_EXP_INL_H
#else
#define TAPEGRAD_KERNELS_EXP_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

// Shared numbers of the elementary functions for one element type. ln 2 is split so that n·kLn2Hi is exact
// for every exponent n (Cody and Waite, Software Manual for the Elementary Functions, 1980).
template <class T>
struct Elementary;

template <>
struct Elementary<float> {
  static constexpr int kMantissaBits = 23;
  static constexpr float kInvLn2 = 0x1.715476p+0f;
  static constexpr float kLn2Hi = 0x1.63p-1f;
  static constexpr float kLn2Lo = -0x1.bd0106p-13f;
  // Adding it rounds to an integer n and leaves n plus the exponent bias in the lowest bits.
  static constexpr float kRound = 0x1.8p23f + 127.0f;
  // With n + kLift instead of n, 2^n is a normal number down to e^kExpMin; kDrop undoes it.
  static constexpr float kLift = 64.0f, kDrop = 0x1p-64f;
  // Beyond these e^x is infinite, 4·e^x is 0, and e^x − 1 is −1.
  static constexpr float kExpMax = 89.0f;
  static constexpr float kExpMin = -110.0f;
  static constexpr float kExpm1Min = -20.0f;
  // Below this magnitude e^x − 1 rounds to x.
  static constexpr float kTiny = 0x1p-25f;
  // (e^r − 1 − r) / r² for |r| ≤ 0.3467, minimising the error of r times it; e^r is then good to 2^−27.
  static constexpr float kExp[] = {0x1p-1f, 0x1.5554bp-3f, 0x1.5554ep-5f, 0x1.1227a6p-7f, 0x1.6d568ep-10f};
};

template <>
struct Elementary<double> {
  static constexpr int kMantissaBits = 52;
  static constexpr double kInvLn2 = 0x1.71547652b82fep+0;
  static constexpr double kLn2Hi = 0x1.62e42feep-1;
  static constexpr double kLn2Lo = 0x1.a39ef35793c76p-33;
  static constexpr double kRound = 0x1.8p52 + 1023.0;
  static constexpr double kLift = 256.0, kDrop = 0x1p-256;
  static constexpr double kExpMax = 710.0;
  static constexpr double kExpMin = -750.0;
  static constexpr double kExpm1Min = -40.0;
  static constexpr double kTiny = 0x1p-54;
  // As above; e^r is good to 2^−56.
  static constexpr double kExp[] = {0x1.0000000000005p-1,  0x1.555555555555cp-3,  0x1.55555555520e8p-5,
                                    0x1.111111110e818p-7,  0x1.6c16c17f3bf7ap-10, 0x1.a01a01b568a3ep-13,
                                    0x1.a019a67542215p-16, 0x1.71ddeb0144cdp-19,  0x1.28a2be405c4fp-22,
                                    0x1.af751acd0683bp-26};
};

// c[0] + c[1]·x + c[2]·x² + …
template <size_t I = 0, class D, class V, class T, size_t N>
HWY_INLINE HWY_ATTR V polynomial(D d, V x, const T (&c)[N]) {
  if constexpr (I + 1 == N) {
    return Set(d, c[I]);
  } else {
    return MulAdd(x, polynomial<I + 1>(d, x, c), Set(d, c[I]));
  }
}

// These two keep NaN. x86 gives the second operand where either is NaN.
template <class D, class V>
HWY_INLINE HWY_ATTR V at_least(D d, V x, TFromD<D> low) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  return Max(Set(d, low), x);
#else
  return IfThenElse(Lt(x, Set(d, low)), Set(d, low), x);
#endif
}

template <class D, class V>
HWY_INLINE HWY_ATTR V at_most(D d, V x, TFromD<D> high) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  return Min(Set(d, high), x);
#else
  return IfThenElse(Gt(x, Set(d, high)), Set(d, high), x);
#endif
}

// 2^n, where `rounded` is n + kRound and 2^n a normal number.
template <class D, class V>
HWY_INLINE HWY_ATTR V power_of_two(D d, V rounded) {
  const RebindToUnsigned<D> du;
  return BitCast(d, ShiftLeft<Elementary<TFromD<D>>::kMantissaBits>(BitCast(du, rounded)));
}

// x = n·ln 2 + r with n an integer and |r| ≤ 0.3467.
template <class V>
struct Reduced {
  V n, r;
};
template <class D, class V>
HWY_INLINE HWY_ATTR Reduced<V> reduced(D d, V x) {
  using E = Elementary<TFromD<D>>;
  const V round = Set(d, E::kRound);
  const V n = Sub(MulAdd(x, Set(d, E::kInvLn2), round), round);
  return {n, NegMulAdd(n, Set(d, E::kLn2Lo), NegMulAdd(n, Set(d, E::kLn2Hi), x))};
}

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
// v·2^n for integers n, rounded once where it is denormal: an instruction of AVX-512 that Highway lacks.
HWY_INLINE HWY_ATTR Vec512<float> scale(Vec512<float> v, Vec512<float> n) {
  return Vec512<float>{_mm512_scalef_ps(v.raw, n.raw)};
}
HWY_INLINE HWY_ATTR Vec512<double> scale(Vec512<double> v, Vec512<double> n) {
  return Vec512<double>{_mm512_scalef_pd(v.raw, n.raw)};
}
HWY_INLINE HWY_ATTR Vec256<float> scale(Vec256<float> v, Vec256<float> n) {
  return Vec256<float>{_mm256_scalef_ps(v.raw, n.raw)};
}
HWY_INLINE HWY_ATTR Vec256<double> scale(Vec256<double> v, Vec256<double> n) {
  return Vec256<double>{_mm256_scalef_pd(v.raw, n.raw)};
}
template <size_t N>
HWY_INLINE HWY_ATTR Vec128<float, N> scale(Vec128<float, N> v, Vec128<float, N> n) {
  return Vec128<float, N>{_mm_scalef_ps(v.raw, n.raw)};
}
template <size_t N>
HWY_INLINE HWY_ATTR Vec128<double, N> scale(Vec128<double, N> v, Vec128<double, N> n) {
  return Vec128<double, N>{_mm_scalef_pd(v.raw, n.raw)};
}
#endif

// 2^n as a product of two: by itself it may be too large or too small for a normal number.
template <class V>
struct Halves {
  V a, b;
};
template <class D, class V>
HWY_INLINE HWY_ATTR Halves<V> power_in_halves(D d, V n) {
  const V round = Set(d, Elementary<TFromD<D>>::kRound);
  const V half = MulAdd(n, Set(d, TFromD<D>{0.5}), round);
  const V rest = Add(Sub(n, Sub(half, round)), round);
  return {power_of_two(d, half), power_of_two(d, rest)};
}

// v·2^n, rounded where it is denormal, for v near 1 and n as it is for x between kExpMin and, with Below, 0,
// else kExpMax. All ways of computing it give the same bits.
template <bool Below, class D, class V>
HWY_INLINE HWY_ATTR V times_power(D d, V v, V n) {
  using E = Elementary<TFromD<D>>;
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  return scale(v, n);
#else
  if constexpr (Below) {
    const V power = power_of_two(d, Add(n, Set(d, E::kRound + E::kLift)));
    return Mul(Mul(v, power), Set(d, E::kDrop));
  } else {
    const Halves<V> power = power_in_halves(d, n);
    return Mul(Mul(v, power.a), power.b);
  }
#endif
}

// factor·e^x, rounded once more where it is denormal, for x between kExpMin and, with Below, 0, else kExpMax;
// factor is a power of two.
template <bool Below = false, class D, class V>
HWY_INLINE HWY_ATTR V exp_in_range(D d, V x, TFromD<D> factor) {
  using T = TFromD<D>;
  const Reduced<V> of = reduced(d, x);
  const V factors = Set(d, factor);
  const V slope = MulAdd(of.r, polynomial(d, of.r, Elementary<T>::kExp), Set(d, T{1}));
  return times_power<Below>(d, MulAdd(Mul(factors, of.r), slope, factors), of.n);
}

template <class D, class V>
HWY_INLINE HWY_ATTR V exp(D d, V x) {
  using E = Elementary<TFromD<D>>;
  return exp_in_range(d, at_most(d, at_least(d, x, E::kExpMin), E::kExpMax), TFromD<D>{1});
}

// e^x for x ≤ 0, to the bit as exp; a NaN stays one.
template <class D, class V>
HWY_INLINE HWY_ATTR V exp_below(D d, V x) {
  return exp_in_range<true>(d, at_least(d, x, Elementary<TFromD<D>>::kExpMin), TFromD<D>{1});
}

// (e^x − 1)/2 as a sum of which `whole`, at least half of it, is nearly exact.
template <class V>
struct HalfExpm1 {
  V whole, part;
};
// For x between kExpm1Min and kExpMax. Where x is denormal its last bit is lost.
template <class D, class V>
HWY_INLINE HWY_ATTR HalfExpm1<V> half_expm1_in_range(D d, V x) {
  using T = TFromD<D>;
  using E = Elementary<T>;
  const V round = Set(d, E::kRound);
  const V n = Sub(MulAdd(x, Set(d, E::kInvLn2), round), round);
  const V high = NegMulAdd(n, Set(d, E::kLn2Hi), x);
  const V low = Mul(n, Set(d, E::kLn2Lo));
  const V r = Sub(high, low);
  const V lost = Sub(Sub(high, r), low);  // x = n·ln 2 + r + lost
  const V bend = MulAdd(Mul(r, r), polynomial(d, r, E::kExp), lost);
  // 2^n / 2, which is a normal number.
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  const V s = scale(Set(d, T{0.5}), n);
#else
  const V s = power_of_two(d, Add(Sub(n, Set(d, T{1})), round));
#endif
  return {MulAdd(s, r, Sub(s, Set(d, T{0.5}))), Mul(s, bend)};
}

template <class D, class V>
HWY_INLINE HWY_ATTR V expm1(D d, V x) {
  using E = Elementary<TFromD<D>>;
  const HalfExpm1<V> h = half_expm1_in_range(d, at_most(d, at_least(d, x, E::kExpm1Min), E::kExpMax));
  const V half = Add(h.whole, h.part);
  return IfThenElse(Lt(Abs(x), Set(d, E::kTiny)), x, Add(half, half));
}

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
