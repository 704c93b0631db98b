// The formulas of hyperbolic functions and their inverses, in double. Included once per target, see
// lanes_hyperbolic.cpp.

#include <limits>

#include "autograd/kernels/lane_loop-inl.h"
#include "autograd/kernels/wide-inl.h"

#if defined(TAPEGRAD_KERNELS_HYPERBOLIC_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_HYPERBOLIC_INL_H
#undef TAPEGRAD_KERNELS_HYPERBOLIC_INL_H
#else
#define TAPEGRAD_KERNELS_HYPERBOLIC_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

// (sinh x − x)/x³ as a polynomial in x² for |x| ≤ 1; sinh is then good to 2^−34 and 2^−56.
template <class T>
struct Hyperbolic;
template <>
struct Hyperbolic<float> {
  static constexpr double kMax = 92;  // beyond, sinh and cosh are infinite
  static constexpr double kSinh[] = {0x1.5555551b571e0p-3, 0x1.111134f34faf2p-7, 0x1.9ffe94de47812p-13,
                                     0x1.7a1582897d797p-19};
};
template <>
struct Hyperbolic<double> {
  static constexpr double kMax = 712;
  static constexpr double kSinh[] = {0x1.5555555555556p-3,  0x1.11111111110a6p-7,  0x1.a01a01a028943p-13,
                                     0x1.71de3a465edaep-19, 0x1.ae646718b320dp-26, 0x1.611a56d7b0474p-33,
                                     0x1.b4c730538d9b0p-41};
};

// e^|x|/2, which overflows no sooner than sinh and cosh do.
template <class T, class D, class V>
HWY_INLINE HWY_ATTR V half_exp(D d, V x) {
  return exp_times<T>(d, at_most(d, Abs(x), Hyperbolic<T>::kMax), Set(d, 0.5));
}

struct Sinh {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    const V h = half_exp<T>(d, x);
    const V far = CopySign(Sub(h, Div(Set(d, 0.25), h)), x);
    const V z = Mul(x, x);
    const V near = MulAdd(Mul(x, z), polynomial(d, z, Hyperbolic<T>::kSinh), x);
    return IfThenElse(Lt(Abs(x), Set(d, 1.0)), near, far);
  }
};

struct Cosh {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    const V h = half_exp<T>(d, x);
    return Add(h, Div(Set(d, 0.25), h));
  }
};

// ln x in double of numbers in the range of float, and near 1 with an error of 2^−53 and no less.
template <class D, class V>
HWY_INLINE HWY_ATTR V log_for_float(D d, V x) {
  const Split<V> of = split(d, x);
  return log_specials(d, x, log_sum(d, of.e, Sub(of.m, Set(d, 1.0)), Zero(d), Wide<float>::kLog));
}

// For float results, double has digits to spare: y is the logarithm of 1 + y, except very near 0, where
// y = x + c·x³.
template <class D, class V>
HWY_INLINE HWY_ATTR V log_or_cubic(D d, V a, V one_plus, double scale, double c) {
  const V cubic = MulAdd(Mul(Mul(a, a), Set(d, c)), a, a);
  return IfThenElse(Lt(a, Set(d, 0x1p-12)), cubic, Mul(log_for_float(d, one_plus), Set(d, scale)));
}

// ln(1 + t), and ln(2t) from t = 2^60 on, where 1 + t and 2t are the same to the last place but for the 2.
template <class D, class V, class M>
HWY_INLINE HWY_ATTR V log1p_or_double(D d, V t, M large) {
  return Add(log1p(d, t), IfThenElseZero(large, Set(d, 0x1.62e42fefa39efp-1)));
}

struct Asinh {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    const V one = Set(d, 1.0);
    const V a = Abs(x);
    const V square = Mul(a, a);
    const V root = Sqrt(Add(square, one));
    V y;
    if constexpr (sizeof(T) == 4) {
      y = log_or_cubic(d, a, Add(a, root), 1, -1.0 / 6);
    } else {
      const auto large = Gt(a, Set(d, 0x1p60));
      y = log1p_or_double(d, IfThenElse(large, a, Add(a, Div(square, Add(one, root)))), large);
    }
    return CopySignToAbs(y, x);
  }
};

struct Acosh {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    const V one = Set(d, 1.0);
    const V t = Sub(x, one);
    const V root = Sqrt(Mul(t, Add(x, one)));
    V y;
    if constexpr (sizeof(T) == 4) {
      y = log_for_float(d, Add(x, root));
    } else {
      const auto large = Gt(x, Set(d, 0x1p60));
      y = log1p_or_double(d, IfThenElse(large, x, Add(t, root)), large);
    }
    return IfThenElse(Ge(x, one), y, Set(d, std::numeric_limits<double>::quiet_NaN()));
  }
};

struct Atanh {
  template <class T, class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    const V one = Set(d, 1.0);
    const V a = Abs(x);
    const V less = Sub(one, a);
    V y;
    if constexpr (sizeof(T) == 4) {
      y = log_or_cubic(d, a, Div(Add(one, a), less), 0.5, 1.0 / 3);
    } else {
      y = Mul(log1p(d, Div(Add(a, a), less)), Set(d, 0.5));
    }
    return CopySign(y, x);
  }
};

template <>
struct Formula<Lane::sinh> : InDouble<Sinh> {};
template <>
struct Formula<Lane::cosh> : InDouble<Cosh> {};
template <>
struct Formula<Lane::asinh> : InDouble<Asinh> {};
template <>
struct Formula<Lane::acosh> : InDouble<Acosh> {};
template <>
struct Formula<Lane::atanh> : InDouble<Atanh> {};

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
