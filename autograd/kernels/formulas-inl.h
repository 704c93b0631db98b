// The formula of every Lane. Included once per target, see lanes.cpp.
//
// A new lane is an enumerator in lanes.h and a Formula here, with either f(d, lanes…) on whole vectors or scalar(x…)
// on single elements. A lane without a Formula does not compile.

#include <cmath>
#include <limits>

#include "autograd/kernels/exp-inl.h"
#include "autograd/kernels/lanes.h"
#include "autograd/kernels/log-inl.h"
#include "autograd/kernels/tanh-inl.h"

#if defined(TAPEGRAD_KERNELS_FORMULAS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_FORMULAS_INL_H
#undef TAPEGRAD_KERNELS_FORMULAS_INL_H
#else
#define TAPEGRAD_KERNELS_FORMULAS_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

template <Lane L>
struct Formula;

// ---- arithmetic ----

template <>
struct Formula<Lane::add> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D, V a, V b) {
    return Add(a, b);
  }
};
template <>
struct Formula<Lane::sub> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D, V a, V b) {
    return Sub(a, b);
  }
};
template <>
struct Formula<Lane::mul> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D, V a, V b) {
    return Mul(a, b);
  }
};
template <>
struct Formula<Lane::div> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D, V a, V b) {
    return Div(a, b);
  }
};
template <>
struct Formula<Lane::mul_add> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D, V a, V b, V c) {
    return Add(Mul(a, b), c);
  }
};
template <>
struct Formula<Lane::maximum> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D, V a, V b) {
    return IfThenElse(Or(Gt(a, b), IsNaN(a)), a, b);
  }
};
template <>
struct Formula<Lane::minimum> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D, V a, V b) {
    return IfThenElse(Or(Lt(a, b), IsNaN(a)), a, b);
  }
};
template <>
struct Formula<Lane::pow> {
  template <class T>
  static T scalar(T x, T p) {
    return std::pow(x, p);
  }
};
template <>
struct Formula<Lane::neg> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D, V x) {
    return Neg(x);
  }
};
template <>
struct Formula<Lane::abs> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D, V x) {
    return Abs(x);
  }
};
template <>
struct Formula<Lane::sign> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    return IfThenElse(Gt(Abs(x), Zero(d)), CopySignToAbs(Set(d, TFromD<D>{1}), x), x);
  }
};
template <>
struct Formula<Lane::square> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D, V x) {
    return Mul(x, x);
  }
};
template <>
struct Formula<Lane::reciprocal> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    return Div(Set(d, TFromD<D>{1}), x);
  }
};
template <>
struct Formula<Lane::sqrt> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D, V x) {
    return Sqrt(x);
  }
};
template <>
struct Formula<Lane::rsqrt> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    return Div(Set(d, TFromD<D>{1}), Sqrt(x));
  }
};

// ---- elementary functions ----

template <>
struct Formula<Lane::exp> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    return exp(d, x);
  }
};
template <>
struct Formula<Lane::expm1> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    return expm1(d, x);
  }
};
template <>
struct Formula<Lane::log> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    return log(d, x);
  }
};
template <>
struct Formula<Lane::log1p> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    return log1p(d, x);
  }
};
template <>
struct Formula<Lane::tanh> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    return tanh(d, x);
  }
};
template <>
struct Formula<Lane::sigmoid> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    return sigmoid(d, x);
  }
};
template <>
struct Formula<Lane::relu> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    return IfThenZeroElse(Le(x, Zero(d)), x);
  }
};

// ---- derivatives ----

// product, but 0 where g = 0 and the other factor was not finite: only there is 0·df not a number.
template <class D, class V>
HWY_INLINE HWY_ATTR V without_pole(D d, V g, V product) {
  return IfThenZeroElse(And(Eq(g, Zero(d)), IsNaN(product)), product);
}

// g·d by that rule.
template <class D, class V>
HWY_INLINE HWY_ATTR V pole_mul(D d, V g, V df) {
  return without_pole(d, g, Mul(g, df));
}

// The gradient of the chosen one of two: g if `mine` wins, half at a tie, nothing if `other` wins.
template <class D, class V, class M>
HWY_INLINE HWY_ATTR V choice_backward(D d, V g, M other_wins, M tie) {
  return IfThenZeroElse(other_wins, IfThenElse(tie, Mul(g, Set(d, TFromD<D>{0.5})), g));
}

template <>
struct Formula<Lane::pole_mul> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V df) {
    return pole_mul(d, g, df);
  }
};
template <>
struct Formula<Lane::maximum_backward_a> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V a, V b) {
    return choice_backward(d, g, Lt(a, b), Eq(a, b));
  }
};
template <>
struct Formula<Lane::maximum_backward_b> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V a, V b) {
    return choice_backward(d, g, Gt(a, b), Eq(a, b));
  }
};
template <>
struct Formula<Lane::minimum_backward_a> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V a, V b) {
    return choice_backward(d, g, Gt(a, b), Eq(a, b));
  }
};
template <>
struct Formula<Lane::minimum_backward_b> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V a, V b) {
    return choice_backward(d, g, Lt(a, b), Eq(a, b));
  }
};
template <>
struct Formula<Lane::pow_backward_x> {
  template <class T>
  static T scalar(T g, T x, T p) {
    const T df = p == 0 ? T{0} : p * std::pow(x, p - 1);
    return g == 0 && !std::isfinite(df) ? T{0} : g * df;
  }
};
template <>
struct Formula<Lane::pow_backward_p> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V x, V p, V y) {
    const V zero = Zero(d);
    const V inf = Set(d, std::numeric_limits<TFromD<D>>::infinity());
    // Where x^p is 0, so is its limit times ln x.
    V df = IfThenZeroElse(And(Eq(y, zero), Ge(x, zero)), Mul(y, log(d, x)));
    const V at_zero = IfThenElse(Ge(p, zero), zero, IfThenElse(Lt(p, zero), Neg(inf), p));
    df = IfThenElse(Eq(x, zero), at_zero, df);
    return pole_mul(d, g, df);
  }
};
template <>
struct Formula<Lane::abs_backward> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V x) {
    return pole_mul(d, g, Formula<Lane::sign>::f(d, x));
  }
};
template <>
struct Formula<Lane::square_backward> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V x) {
    return pole_mul(d, g, Add(x, x));
  }
};
template <>
struct Formula<Lane::reciprocal_backward> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V y) {
    return pole_mul(d, g, Neg(Mul(y, y)));
  }
};
template <>
struct Formula<Lane::sqrt_backward> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V y) {
    return without_pole(d, g, Div(g, Abs(Add(y, y))));
  }
};
template <>
struct Formula<Lane::rsqrt_backward> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V y) {
    return pole_mul(d, g, Mul(Mul(y, y), Mul(Abs(y), Set(d, TFromD<D>{-0.5}))));
  }
};
template <>
struct Formula<Lane::exp_backward> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V y) {
    return pole_mul(d, g, y);
  }
};
template <>
struct Formula<Lane::expm1_backward> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V x) {
    return pole_mul(d, g, exp(d, x));
  }
};
template <>
struct Formula<Lane::log_backward> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V x) {
    const V nan = Set(d, std::numeric_limits<TFromD<D>>::quiet_NaN());
    return without_pole(d, g, Div(g, IfThenElse(Ge(x, Zero(d)), Abs(x), nan)));
  }
};
template <>
struct Formula<Lane::log1p_backward> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V x) {
    return Formula<Lane::log_backward>::f(d, g, Add(x, Set(d, TFromD<D>{1})));
  }
};
template <>
struct Formula<Lane::tanh_backward> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V x, V y) {
    return pole_mul(d, g, tanh_slope(d, x, y));
  }
};
template <>
struct Formula<Lane::sigmoid_backward> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V x, V y) {
    return pole_mul(d, g, sigmoid_slope(d, x, y));
  }
};
template <>
struct Formula<Lane::relu_backward> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V y) {
    return IfThenZeroElse(Le(y, Zero(d)), g);
  }
};

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
