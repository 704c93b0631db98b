// Parts of vectors in memory. Included once per target.

#include <hwy/highway.h>

#if defined(TAPEGRAD_KERNELS_PARTIAL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_PARTIAL_INL_H
#undef TAPEGRAD_KERNELS_PARTIAL_INL_H
#else
#define TAPEGRAD_KERNELS_PARTIAL_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

// Vectors of at most 64 bytes, and how many elements they hold.
template <class T>
using RowTag = CappedTag<T, 64 / sizeof(T)>;
template <class T>
inline constexpr int64_t kRowLanes = static_cast<int64_t>(MaxLanes(RowTag<T>{}));

// The first n elements at p, n < Lanes(d), and zeros in the other lanes. Touches nothing beyond them.
template <class D>
HWY_INLINE HWY_ATTR Vec<D> load_partial(D d, const TFromD<D>* p, size_t n) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  return MaskedLoad(FirstN(d, n), d,
                    p);  // masked-off lanes do not fault here, whatever the type of these kernels
#else
  HWY_ALIGN TFromD<D> whole[MaxLanes(d)] = {};
  for (size_t i = 0; i < n; ++i) whole[i] = p[i];
  return Load(d, whole);
#endif
}

// Writes the first n lanes of v, n < Lanes(d), to p, in pieces of halving size: masked stores are slow on
// some processors.
template <class D, class V>
HWY_INLINE HWY_ATTR void store_partial(D d, V v, TFromD<D>* p, size_t n) {
  if constexpr (MaxLanes(d) > 1) {
    const Half<D> half;
    constexpr size_t kHalf = MaxLanes(half);
    if (n >= kHalf) {
      StoreU(LowerHalf(half, v), half, p);
      store_partial(half, UpperHalf(half, v), p + kHalf, n - kHalf);
    } else {
      store_partial(half, LowerHalf(half, v), p, n);
    }
  }
}

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
