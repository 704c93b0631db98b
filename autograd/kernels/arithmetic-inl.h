// The formulas of the lanes of arithmetic, choices and roots, and of their derivatives. Included once per
// target, see lanes_arithmetic.cpp.

#include "autograd/kernels/lane_loop-inl.h"

#if defined(TAPEGRAD_KERNELS_ARITHMETIC_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_ARITHMETIC_INL_H
#undef TAPEGRAD_KERNELS_ARITHMETIC_INL_H
#else
#define TAPEGRAD_KERNELS_ARITHMETIC_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

// The gradient of one of two operands: nothing if the other wins, half of g at a tie, g otherwise.
template <class D, class V, class M>
HWY_INLINE HWY_ATTR V choice_backward(D d, V g, M other_wins, M tie) {
  return IfThenZeroElse(other_wins, IfThenElse(tie, Mul(g, Set(d, TFromD<D>{0.5})), g));
}

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
struct Formula<Lane::floor> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D, V x) {
    return CopySign(Floor(x), x);  // not every target keeps the sign of 0
  }
};

template <>
struct Formula<Lane::ceil> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D, V x) {
    return CopySign(Ceil(x), x);
  }
};

template <>
struct Formula<Lane::round> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D, V x) {
    return CopySign(Round(x), x);
  }
};

template <>
struct Formula<Lane::trunc> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D, V x) {
    return CopySign(Trunc(x), x);
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
struct Formula<Lane::relu> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    return IfThenZeroElse(Le(x, Zero(d)), x);
  }
};

template <>
struct Formula<Lane::pole_mul> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V df) {
    return pole_mul(d, g, df);
  }
};

template <>
struct Formula<Lane::pole_div> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V b) {
    return without_pole(d, g, Div(g, b));
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
struct Formula<Lane::relu_backward> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V y) {
    return IfThenZeroElse(Le(y, Zero(d)), g);
  }
};

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
