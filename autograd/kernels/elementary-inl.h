// The formulas of the lanes of exponentials, logarithms, saturating functions and powers, and of their
// derivatives. Included once per target, see lanes_elementary.cpp.

#include <limits>

#include "autograd/kernels/arithmetic-inl.h"
#include "autograd/kernels/exp-inl.h"
#include "autograd/kernels/log-inl.h"
#include "autograd/kernels/power-inl.h"
#include "autograd/kernels/tanh-inl.h"

#if defined(TAPEGRAD_KERNELS_ELEMENTARY_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_ELEMENTARY_INL_H
#undef TAPEGRAD_KERNELS_ELEMENTARY_INL_H
#else
#define TAPEGRAD_KERNELS_ELEMENTARY_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

template <>
struct Formula<Lane::exp> {
  static constexpr size_t kTogether = 4;
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
  static constexpr size_t kTogether = 4;
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    return tanh(d, x);
  }
};

template <>
struct Formula<Lane::sigmoid> {
  static constexpr size_t kTogether = 4;
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    return sigmoid(d, x);
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
  static constexpr size_t kTogether = 4;
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V x, V) {
    return pole_mul(d, g, tanh_slope(d, x));
  }
};

template <>
struct Formula<Lane::sigmoid_backward> {
  static constexpr size_t kTogether = 4;
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V x, V) {
    return pole_mul(d, g, sigmoid_slope(d, x));
  }
};

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
