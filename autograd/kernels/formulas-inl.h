// The formulas of the forward lanes; their derivatives are in backward-inl.h. Included once per target, see
// lanes.cpp.
//
// A new lane is an enumerator in lanes.h and a Formula, with either f(d, lanes…) on whole vectors or
// scalar(x…) on single elements. A lane without a Formula does not compile.

#include <cmath>

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

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
