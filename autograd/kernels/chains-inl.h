// Sums of products whose parts run beside each other. Included once per target.

#include <hwy/highway.h>

#include "autograd/kernels/partial-inl.h"

#if defined(TAPEGRAD_KERNELS_CHAINS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_CHAINS_INL_H
#undef TAPEGRAD_KERNELS_CHAINS_INL_H
#else
#define TAPEGRAD_KERNELS_CHAINS_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

// How many rows of a matrix are added at once at most: their factors stay in registers.
inline constexpr int64_t kRowsAtOnce = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON ? 16 : 8;

// sum + w[0]·x[0] + w[1]·x[1] + … of 1, 4, 8 or 16 products: chains of four multiply-adds, the first of which
// begins with sum, added in pairs.
template <size_t N, class V>
HWY_INLINE HWY_ATTR V add_products(V sum, const V* w, const V* x) {
  if constexpr (N <= 4) {
#pragma GCC unroll 4
    for (size_t i = 0; i < N; ++i) sum = MulAdd(w[i], x[i], sum);
    return sum;
  } else {
    constexpr size_t kHalf = N / 2;
    if constexpr (kHalf == 4) {
      return Add(add_products<4>(sum, w, x), add_products<3>(Mul(w[4], x[4]), w + 5, x + 5));
    } else {
      return Add(add_products<kHalf>(sum, w, x), Add(add_products<3>(Mul(w[8], x[8]), w + 9, x + 9),
                                                     add_products<3>(Mul(w[12], x[12]), w + 13, x + 13)));
    }
  }
}

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
