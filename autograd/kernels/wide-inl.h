// What lanes computed in double share, for double results and, with shorter polynomials, for float ones,
// whose error is then little more than that of the last rounding. Included once per target, see
// lanes_exponential.cpp.

#include "autograd/kernels/exp-inl.h"
#include "autograd/kernels/log-inl.h"

#if defined(TAPEGRAD_KERNELS_WIDE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_WIDE_INL_H
#undef TAPEGRAD_KERNELS_WIDE_INL_H
#else
#define TAPEGRAD_KERNELS_WIDE_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

// Polynomials in double for results of type T.
template <class T>
struct Wide;

template <>
struct Wide<double> {
  static constexpr auto& kExp = Elementary<double>::kExp;
  static constexpr auto& kLog = Logarithm<double>::kLog;
};

template <>
struct Wide<float> {
  // As Elementary<double>::kExp; e^r is good to 2^−34.
  static constexpr double kExp[] = {0x1.0000003a37707p-1, 0x1.555554426ff46p-3,  0x1.55548d9442805p-5,
                                    0x1.11127199e4326p-7, 0x1.6d8d35f101e24p-10, 0x1.9f07be4637244p-13};
  // As Logarithm<double>::kLog; the logarithm is good to 2^−37.
  static constexpr double kLog[] = {0x1.555554fd8437fp-1, 0x1.999a7ac464db3p-2, 0x1.2438c5db993edp-2,
                                    0x1.e2f96f5d8d2aap-3};
};

template <class D, class V>
HWY_INLINE HWY_ATTR Vec<D> narrow(D d, V x) {
#if HWY_TARGET == HWY_EMU128 || HWY_TARGET == HWY_SCALAR
  // Highway's own stops at the largest finite number there.
  double from[MaxLanes(D())];
  float to[MaxLanes(D())];
  StoreU(x, Rebind<double, D>(), from);
  for (size_t i = 0; i < MaxLanes(d); ++i) to[i] = static_cast<float>(from[i]);
  return LoadU(d, to);
#else
  return DemoteTo(d, x);
#endif
}

// F::f<T>(d, x…) on lanes of double d, T the type of the lanes x.
template <class F, class D, class... V>
HWY_INLINE HWY_ATTR Vec<D> in_double(D d, V... x) {
  if constexpr (sizeof(TFromD<D>) == 8) {
    return F::template f<double>(d, x...);
  } else {
#if HWY_TARGET == HWY_SCALAR
    const Rebind<double, D> wide;
    return narrow(d, F::template f<float>(wide, PromoteTo(wide, x)...));
#else
    const Half<D> half;
    const Rebind<double, Half<D>> wide;
    const auto lower = F::template f<float>(wide, PromoteTo(wide, LowerHalf(half, x))...);
    const auto upper = F::template f<float>(wide, PromoteTo(wide, UpperHalf(half, x))...);
    return Combine(d, narrow(half, upper), narrow(half, lower));
#endif
  }
}

// A lane whose operands F takes in double.
template <class F>
struct InDouble {
  template <class D, class... V>
    requires requires(D d, V... x) { F::template f<double>(d, x...); }
  static HWY_INLINE HWY_ATTR Vec<D> f(D d, V... x) { return in_double<F>(d, x...); }
};

// The same for a derivative F(x) times the first operand.
template <class F>
struct SlopeInDouble {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V x) {
    return pole_mul(d, g, in_double<F>(d, x));
  }
};

// factor·e^(n·ln 2 + r). For double results n may exceed the exponents of normal numbers by the half; a
// denormal result is rounded once more.
template <class T, class D, class V>
HWY_INLINE HWY_ATTR V exp_times(D d, Reduced<V> of, V factor) {
  const V slope = MulAdd(of.r, polynomial(d, of.r, Wide<T>::kExp), Set(d, 1.0));
  const V y = MulAdd(Mul(factor, of.r), slope, factor);
  if constexpr (sizeof(T) == 4) {
    return Mul(y, power_of_two(d, Add(of.n, Set(d, Elementary<double>::kRound))));
  } else {
    const Halves<V> power = power_in_halves(d, of.n);
    return Mul(Mul(y, power.a), power.b);
  }
}

// factor·e^x.
template <class T, class D, class V>
HWY_INLINE HWY_ATTR V exp_times(D d, V x, V factor) {
  return exp_times<T>(d, reduced(d, x), factor);
}

// A number as a sum of two, of which the first has at most 26 digits: its products with its like are exact.
template <class V>
struct Parts {
  V high, low;
};
template <class D, class V>
HWY_INLINE HWY_ATTR Parts<V> parts(D d, V x) {
  const RebindToUnsigned<D> du;
  const V high = BitCast(d, And(BitCast(du, x), Set(du, ~uint64_t{0x7ffffff})));
  return {high, Sub(x, high)};
}

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
