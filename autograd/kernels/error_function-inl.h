// The formulas of the error function, of gelu, and of their derivatives, in double. Included once per target,
// see lanes_error_function.cpp.

#include "autograd/kernels/lane_loop-inl.h"
#include "autograd/kernels/wide-inl.h"

#if defined(TAPEGRAD_KERNELS_ERROR_FUNCTION_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_ERROR_FUNCTION_INL_H
#undef TAPEGRAD_KERNELS_ERROR_FUNCTION_INL_H
#else
#define TAPEGRAD_KERNELS_ERROR_FUNCTION_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

// kTail: (1 + 2a)·e^(a²)·erfc a as a polynomial in (a − 4)/(a + 4), the mapping of Shepherd and Laframboise
// (Math. Comp. 36, 1981).
template <class T>
struct ErrorFunction;
template <>
struct ErrorFunction<float> {
  // Beyond these, erfc, x·Φ and its derivative, and those of the tanh form are 0 on the left.
  static constexpr double kErfcMax = 10.6, kGeluMax = 14.9, kGeluTanhMax = 11;
  // For a ≤ 10.7, relative error 2^−30.
  static constexpr double kTail[] = {0x1.3ba591704e4ebp+0,  -0x1.1df1af4126517p-3,  0x1.f7f54fbdb6a0ep-7,
                                     0x1.16edd0cd30b40p-4,  -0x1.9dd8a4c91fe1fp-4,  0x1.7fe290fb93413p-4,
                                     -0x1.0fd301ebbc8aap-4, 0x1.30cdd40b7531fp-5,   -0x1.06538713761ebp-6,
                                     0x1.4ddd50cf436f0p-8,  -0x1.1e2cd95d67843p-10, -0x1.499e82ce9990dp-11};
  // erf(x)/x as a polynomial in x²/8 − 1 for |x| ≤ 4, relative error 2^−26.9.
  static constexpr double kErf[] = {0x1.6a040776f1f4ep-2,   -0x1.69a0c667115fdp-3,  0x1.0dabb83354245p-3,
                                    -0x1.b9311728720adp-4,  0x1.717de65d5d73fp-4,   -0x1.31f1d6ef180b5p-4,
                                    0x1.ea9ef62c6731bp-5,   -0x1.78b4b966307efp-5,  0x1.0ef755fddab01p-5,
                                    -0x1.6426269c9653ep-6,  0x1.d1e00185d115dp-7,   -0x1.472e8a8ead74ep-7,
                                    0x1.54d9736076433p-8,   -0x1.2c6b969b5c602p-10, 0x1.bfe53c0c6fdb8p-11,
                                    -0x1.62f18f6c6e67dp-10, 0x1.18d50b81fa92fp-11};
};
template <>
struct ErrorFunction<double> {
  static constexpr double kErfcMax = 27.4, kGeluMax = 38.7, kGeluTanhMax = 21.6;
  // For a ≤ 27.5, relative error 2^−54.
  static constexpr double kTail[] = {
      0x1.3ba5916e9fd7fp+0,   -0x1.1df1ad154a28fp-3,  0x1.f7f5df66fd6dcp-7,   0x1.16ecefcfa54abp-4,
      -0x1.9ddb23c3e89cap-4,  0x1.7fee004e0fcc5p-4,   -0x1.0fb06dfe54944p-4,  0x1.3079edf6d7f0fp-5,
      -0x1.09623882b6b33p-6,  0x1.49c6726de7825p-8,   -0x1.8d4a9c39753fcp-11, -0x1.a1df15296cba9p-13,
      0x1.3be06b06e5510p-13,  -0x1.995aec99efd2ep-16, -0x1.788dbbef661e8p-17, 0x1.7f359d6fa453fp-18,
      0x1.3bdd56334e0ebp-22,  -0x1.bb7de60a88739p-21, 0x1.3e0cdbb72f22ep-24,  0x1.da33d0251f7b3p-24,
      -0x1.2aed379ebb7efp-26, -0x1.e3f064d5f712ep-27, 0x1.c4354379a8866p-30,  0x1.46cd10c0356e6p-30};
  // erf(x)/x − 1 as a polynomial in x² for |x| ≤ ½, relative error of erf 2^−56.
  static constexpr double kErf[] = {0x1.06eba8214db68p-3,  -0x1.812746b0379b3p-2,  0x1.ce2f21a03d654p-4,
                                    -0x1.b82ce30f1d03fp-6, 0x1.565bcbf55e129p-8,   -0x1.c02d4e7c45546p-11,
                                    0x1.f98d8f2c3a7eap-14, -0x1.f2221085f498bp-17, 0x1.8b34a8006dbcap-20};
};

// −factor·x² for x ≥ 0, reduced for e^, with all its digits: a rounding of x² would count x² times over.
// factor is 1 or ½.
template <class T, class D, class V>
HWY_INLINE HWY_ATTR Reduced<V> gauss(D d, V x, double factor) {
  const V minus = Set(d, -factor);
  if constexpr (sizeof(T) == 4) {
    return reduced(d, Mul(minus, Mul(x, x)));
  } else {
    const Parts<V> of = parts(d, x);
    Reduced<V> result = reduced(d, Mul(minus, Mul(of.high, of.high)));
    result.r = MulAdd(minus, Mul(of.low, Add(x, of.high)), result.r);
    return result;
  }
}

// e^(a²)·erfc a for a ≥ 0.
template <class T, class D, class V>
HWY_INLINE HWY_ATTR V scaled_erfc(D d, V a) {
  const V four = Set(d, 4.0), one = Set(d, 1.0);
  const V q = Div(Sub(a, four), Add(a, four));
  return Div(polynomial(d, q, ErrorFunction<T>::kTail), Add(one, Add(a, a)));
}

// erfc a for a ≥ 0.
template <class T, class D, class V>
HWY_INLINE HWY_ATTR V erfc_tail(D d, V a) {
  const V within = at_most(d, a, ErrorFunction<T>::kErfcMax);
  return exp_times<T>(d, gauss<T>(d, within, 1), scaled_erfc<T>(d, within));
}

// erf x for |x| ≤ ½.
template <class D, class V>
HWY_INLINE HWY_ATTR V erf_near(D d, V x) {
  return MulAdd(x, polynomial(d, Mul(x, x), ErrorFunction<double>::kErf), x);
}

struct Erf {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    if constexpr (sizeof(T) == 4) {
      // erf 4 and its polynomial round to 1.
      const V within = at_most(d, at_least(d, x, -4), 4);
      const V t = MulAdd(Mul(within, within), Set(d, 0.125), Set(d, -1.0));
      return Mul(within, polynomial(d, t, ErrorFunction<float>::kErf));
    } else {
      const V a = Abs(x);
      const V far = CopySign(Sub(Set(d, 1.0), erfc_tail<T>(d, a)), x);
      return IfThenElse(Lt(a, Set(d, 0.5)), erf_near(d, x), far);
    }
  }
};

struct Erfc {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    const V a = Abs(x);
    const V tail = erfc_tail<T>(d, a);
    const V y = IfThenElse(Lt(x, Zero(d)), Sub(Set(d, 2.0), tail), tail);
    if constexpr (sizeof(T) == 4) return y;
    else return IfThenElse(Lt(a, Set(d, 0.5)), Sub(Set(d, 1.0), erf_near(d, x)), y);
  }
};

// sign·2/√π·e^(−x²).
template <int sign>
struct ErfSlope {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    const V a = at_most(d, Abs(x), ErrorFunction<T>::kErfcMax);
    return exp_times<T>(d, gauss<T>(d, a, 1), Set(d, sign * 0x1.20dd750429b6dp+0));
  }
};

// What is left of gelu x and of its derivative where x is −|x|; on the other side they are x + left and
// 1 − left. gelu x has the sign of x, also where it is 0.
template <class D, class V>
HWY_INLINE HWY_ATTR V reflected(D d, V x, V left) {
  return CopySign(IfThenElse(Lt(x, Zero(d)), left, Add(x, left)), x);
}
template <class D, class V>
HWY_INLINE HWY_ATTR V reflected_slope(D d, V x, V left) {
  return IfThenElse(Lt(x, Zero(d)), left, Sub(Set(d, 1.0), left));
}

constexpr double kSqrtHalf = 0x1.6a09e667f3bcdp-1;

// −|x|·Φ(−|x|), of which a denormal result is rounded once.
struct Gelu {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    const V a = at_most(d, Abs(x), ErrorFunction<T>::kGeluMax);
    const V z = Mul(a, Set(d, kSqrtHalf));
    const V half = Mul(a, Set(d, -0.5));
    V left = exp_times<T>(d, gauss<T>(d, a, 0.5), Mul(half, scaled_erfc<T>(d, z)));
    if constexpr (sizeof(T) == 8)
      left = IfThenElse(Lt(z, Set(d, 0.5)), NegMulAdd(half, erf_near(d, z), half), left);
    return reflected(d, x, left);
  }
};

// Φ(−|x|) − |x|·φ(x), with one exponential for both.
struct GeluSlope {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    const V a = at_most(d, Abs(x), ErrorFunction<T>::kGeluMax);
    const V tail = Mul(Set(d, 0.5), scaled_erfc<T>(d, Mul(a, Set(d, kSqrtHalf))));
    const V factor = NegMulAdd(a, Set(d, 0x1.9884533d43651p-2), tail);  // 1/√(2π)
    return reflected_slope(d, x, exp_times<T>(d, gauss<T>(d, a, 0.5), factor));
  }
};

// The tanh form is x·σ(v) with v = 2√(2/π)·(x + 0.044715·x³) = x·(c0 + c1·x²).
constexpr double kC0High = 0x1.988453p+0, kC0Low = 0x1.ea1b284687e5ap-27, kC0 = kC0High + kC0Low;
constexpr double kC1High = 0x1.2444f28p-4, kC1Low = 0x1.26c5a57a4def1p-31, kC1 = kC1High + kC1Low;

// −v at a ≥ 0, reduced for e^. For double with a sum of two for each intermediate result, since its rounding
// would count v times over.
template <class T, class D, class V>
HWY_INLINE HWY_ATTR Reduced<V> gelu_tanh_exponent(D d, V a) {
  const V c0 = Set(d, kC0High), c1 = Set(d, kC1High);
  if constexpr (sizeof(T) == 4) {
    return reduced(d, Neg(Mul(a, MulAdd(Mul(a, a), Set(d, kC1), Set(d, kC0)))));
  } else {
    const Parts<V> of = parts(d, a);
    const V high_square = Mul(of.high, of.high);
    Parts<V> square = parts(d, high_square);
    square.low = MulAdd(of.low, Add(a, of.high), square.low);
    const V bend = Mul(c1, square.high);
    const V bend_low = MulAdd(c1, square.low, Mul(Set(d, kC1Low), Add(square.high, square.low)));
    // c0 + bend = sum + lost (Knuth's two-sum).
    const V sum = Add(c0, bend);
    const V part = Sub(sum, c0);
    const V lost = Add(Sub(c0, Sub(sum, part)), Sub(bend, part));
    Parts<V> factor = parts(d, sum);
    factor.low = Add(factor.low, Add(lost, Add(bend_low, Set(d, kC0Low))));
    Reduced<V> result = reduced(d, Neg(Mul(of.high, factor.high)));
    result.r = Sub(result.r, MulAdd(of.high, factor.low, Mul(of.low, Add(factor.high, factor.low))));
    return result;
  }
}

// −|x|·e/(1 + e) with e = e^(−v).
struct GeluTanh {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    const V one = Set(d, 1.0);
    const V a = at_most(d, Abs(x), ErrorFunction<T>::kGeluTanhMax);
    const Reduced<V> exponent = gelu_tanh_exponent<T>(d, a);
    const V e = exp_times<T>(d, exponent, one);
    return reflected(d, x, exp_times<T>(d, exponent, Div(Neg(a), Add(e, one))));
  }
};

// e/(1 + e)·(1 − |x|·v′/(1 + e)).
struct GeluTanhSlope {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    const V one = Set(d, 1.0);
    const V a = at_most(d, Abs(x), ErrorFunction<T>::kGeluTanhMax);
    const Reduced<V> exponent = gelu_tanh_exponent<T>(d, a);
    const V share = Div(one, Add(exp_times<T>(d, exponent, one), one));
    const V slope = MulAdd(Mul(a, a), Set(d, 3 * kC1), Set(d, kC0));
    const V factor = Mul(share, NegMulAdd(Mul(a, slope), share, one));
    return reflected_slope(d, x, exp_times<T>(d, exponent, factor));
  }
};

template <>
struct Formula<Lane::erf> : InDouble<Erf> {};
template <>
struct Formula<Lane::erfc> : InDouble<Erfc> {};
template <>
struct Formula<Lane::gelu> : InDouble<Gelu> {};
template <>
struct Formula<Lane::gelu_tanh> : InDouble<GeluTanh> {};
template <>
struct Formula<Lane::erf_backward> : SlopeInDouble<ErfSlope<1>> {};
template <>
struct Formula<Lane::erfc_backward> : SlopeInDouble<ErfSlope<-1>> {};
template <>
struct Formula<Lane::gelu_backward> : SlopeInDouble<GeluSlope> {};
template <>
struct Formula<Lane::gelu_tanh_backward> : SlopeInDouble<GeluTanhSlope> {};

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
