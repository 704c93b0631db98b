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

// kTail: (1 + 2a)·e^(a²)·erfc a as a polynomial in (a − kCentre)/(a + kCentre), the mapping of Shepherd and
// Laframboise (Math. Comp. 36, 1981).
template <class T>
struct ErrorFunction;
template <>
struct ErrorFunction<float> {
  // Beyond these, erfc, x·Φ and its derivative, and those of the tanh form are 0 on the left.
  static constexpr double kErfcMax = 10.6, kGeluMax = 14.9, kGeluTanhMax = 11;
  // For a ≤ 10.7, relative error 2^−30.
  static constexpr double kCentre = 4;
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
  // For a ≤ 27.5, relative error 2^−56.
  static constexpr double kCentre = 3.8125;
  static constexpr double kTail[] = {
      0x1.3c81b093179a6p+0,  -0x1.1f09a95e0eccap-3,  0x1.b9a26d9d8597fp-8,   0x1.420b9cb622df1p-4,
      -0x1.b6277b4004f90p-4, 0x1.7c8cd4b588dc7p-4,   -0x1.f230e0691ef1fp-5,  0x1.f5d9e4416d257p-6,
      -0x1.7229b0e32b4bcp-7, 0x1.43795655473c8p-9,   0x1.ce2665cd35a2ep-14,  -0x1.3b42ea45c9010p-12,
      0x1.523fcdfa41b31p-14, 0x1.e24d78388a50ap-17,  -0x1.c3eacb4065566p-17, 0x1.7d5ee81db84c9p-21,
      0x1.d564b293adc0ep-20, -0x1.5bd4ee268e1b6p-22, -0x1.ef9cc5b78eba0p-23, 0x1.020ad14d809fep-24,
      0x1.25af9fd3a7378p-25, -0x1.9052f0078b5fdp-28, -0x1.2fe5daf5ac7fep-28, -0x1.f014bae250276p-32};
  // (1 + 2x)·e^(x²/2)·Φ(−x) as a polynomial in (x − kNormalCentre)/(x + kNormalCentre) for x ≤ 38.8, relative
  // error 2^−56: Φ by its own, since rounding x/√2 would show.
  static constexpr double kNormalCentre = 4.25;
  static constexpr double kNormal[] = {
      0x1.b2a4cb3638e9fp-1,  -0x1.d29bf6512318cp-6,  -0x1.58b236d384686p-4,  0x1.f606efcf92bdep-4,
      -0x1.969af4c7bdfb9p-4, 0x1.b72059c98e94ap-5,   -0x1.25805686db9f1p-6,  0x1.c956219bf02f8p-10,
      0x1.7aa91007a646ep-10, -0x1.2baeb0c26024ep-11, -0x1.59596af9d3428p-14, 0x1.817ba85e40f36p-14,
      0x1.14275fbced628p-18, -0x1.ed7bdbbfe92e7p-17, -0x1.3764d7d0889d5p-21, 0x1.52bac06d9ccaep-19,
      0x1.1b246e54f973ap-22, -0x1.d7e4b7135c737p-22, -0x1.bb3bcb21d9253p-24, 0x1.1857a284ae984p-24,
      0x1.f45adc831c4efp-26, -0x1.2d1169b21ee2fp-28, -0x1.378a3dca56308p-28, -0x1.8382eb884f909p-31};
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

// P(q)/(1 + 2a) with q = (a − centre)/(a + centre).
template <class D, class V, size_t N>
HWY_INLINE HWY_ATTR V rational_tail(D d, V a, double centre, const double (&p)[N]) {
  const V c = Set(d, centre);
  const V q = Div(Sub(a, c), Add(a, c));
  return Div(polynomial(d, q, p), Add(Set(d, 1.0), Add(a, a)));
}

// e^(a²)·erfc a for a ≥ 0.
template <class T, class D, class V>
HWY_INLINE HWY_ATTR V scaled_erfc(D d, V a) {
  return rational_tail(d, a, ErrorFunction<T>::kCentre, ErrorFunction<T>::kTail);
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

// e^(x²/2)·Φ(−x) for x ≥ 0.
template <class T, class D, class V>
HWY_INLINE HWY_ATTR V scaled_normal(D d, V x) {
  if constexpr (sizeof(T) == 4) {
    return Mul(Set(d, 0.5), scaled_erfc<T>(d, Mul(x, Set(d, kSqrtHalf))));
  } else {
    return rational_tail(d, x, ErrorFunction<double>::kNormalCentre, ErrorFunction<double>::kNormal);
  }
}

// For double results where x is near 0: there e^(x²/2)·Φ(−x) bends too much to be computed as well.
template <class D, class V>
HWY_INLINE HWY_ATTR V normal_near(D d, V x) {
  const V half = Set(d, 0.5);
  return NegMulAdd(half, erf_near(d, Mul(x, Set(d, kSqrtHalf))), half);
}
constexpr double kNormalNear = 0.7;

// −|x|·Φ(−|x|), of which a denormal result is rounded once.
struct Gelu {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    const V a = at_most(d, Abs(x), ErrorFunction<T>::kGeluMax);
    V left = exp_times<T>(d, gauss<T>(d, a, 0.5), Mul(Neg(a), scaled_normal<T>(d, a)));
    if constexpr (sizeof(T) == 8)
      left = IfThenElse(Lt(a, Set(d, kNormalNear)), Mul(Neg(a), normal_near(d, a)), left);
    return reflected(d, x, left);
  }
};

// Φ(−|x|) − |x|·φ(x), with one exponential for both.
struct GeluSlope {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    const V a = at_most(d, Abs(x), ErrorFunction<T>::kGeluMax);
    const Reduced<V> exponent = gauss<T>(d, a, 0.5);
    const V bend = Mul(a, Set(d, 0x1.9884533d43651p-2));  // |x|/√(2π)
    V left = exp_times<T>(d, exponent, Sub(scaled_normal<T>(d, a), bend));
    if constexpr (sizeof(T) == 8) {
      const V near = Sub(normal_near(d, a), exp_times<T>(d, exponent, bend));
      left = IfThenElse(Lt(a, Set(d, kNormalNear)), near, left);
    }
    return reflected_slope(d, x, left);
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
