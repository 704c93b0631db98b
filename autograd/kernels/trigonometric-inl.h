// The formulas of the lanes of sines, tangents, their inverses and lengths. Included once per target, see
// lanes_trigonometric.cpp.

#include "autograd/kernels/arc-inl.h"
#include "autograd/kernels/lane_loop-inl.h"
#include "autograd/kernels/sine-inl.h"

#if defined(TAPEGRAD_KERNELS_TRIGONOMETRIC_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_TRIGONOMETRIC_INL_H
#undef TAPEGRAD_KERNELS_TRIGONOMETRIC_INL_H
#else
#define TAPEGRAD_KERNELS_TRIGONOMETRIC_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

// F on lanes of double, its results rounded to float where d has such.
template <class F, class D, class... V>
HWY_INLINE HWY_ATTR Vec<D> in_double(D d, V... x) {
  if constexpr (sizeof(TFromD<D>) == 8) {
    return F::template of<double>(d, x...);
  } else if constexpr (MaxLanes(d) == 1) {
    const Rebind<double, D> wide;
    return DemoteTo(d, F::template of<float>(wide, PromoteTo(wide, x)...));
  } else {
    const Half<D> half;
    const Rebind<double, Half<D>> wide;
    const auto low = F::template of<float>(wide, PromoteTo(wide, LowerHalf(half, x))...);
    const auto high = F::template of<float>(wide, PromoteTo(wide, UpperHalf(half, x))...);
    return Combine(d, DemoteTo(half, high), DemoteTo(half, low));
  }
}

template <>
struct Formula<Lane::sin> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    return in_double<Sin>(d, x);
  }
};

template <>
struct Formula<Lane::cos> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    return in_double<Cos>(d, x);
  }
};

template <>
struct Formula<Lane::tan> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    return in_double<Tan>(d, x);
  }
};

template <>
struct Formula<Lane::asin> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    return in_double<Asin>(d, x);
  }
};

template <>
struct Formula<Lane::acos> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    return in_double<Acos>(d, x);
  }
};

template <>
struct Formula<Lane::atan> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V x) {
    return in_double<Atan>(d, x);
  }
};

template <>
struct Formula<Lane::atan2> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V y, V x) {
    return in_double<Atan2>(d, y, x);
  }
};

template <>
struct Formula<Lane::hypot> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V a, V b) {
    return hypot(d, a, b);
  }
};

template <>
struct Formula<Lane::atan_backward> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V x) {
    // 1/x² beyond 2^30, where x² may be infinite while its inverse is not 0.
    const V one = Set(d, TFromD<D>{1});
    const auto large = Gt(Abs(x), Set(d, TFromD<D>{0x1p30}));
    const V over = IfThenElse(large, Div(one, x), one);
    return pole_mul(d, g, Div(over, IfThenElse(large, x, MulAdd(x, x, one))));
  }
};

template <>
struct Formula<Lane::atan2_backward_a> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V y, V x) {
    return pole_mul(d, g, over_squares(d, x, y));
  }
};

template <>
struct Formula<Lane::atan2_backward_b> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V y, V x) {
    return pole_mul(d, g, Neg(over_squares(d, y, x)));
  }
};

template <>
struct Formula<Lane::hypot_backward_a> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V a, V, V y) {
    return pole_mul(d, g, IfThenZeroElse(Eq(y, Zero(d)), Div(a, y)));
  }
};

template <>
struct Formula<Lane::hypot_backward_b> {
  template <class D, class V>
  static HWY_INLINE HWY_ATTR V f(D d, V g, V a, V b, V y) {
    return Formula<Lane::hypot_backward_a>::f(d, g, b, a, y);
  }
};

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
