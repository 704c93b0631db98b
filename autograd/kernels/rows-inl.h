// Sums and maxima of one row on vector lanes. Included once per target.

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/kernels/exp-inl.h"
#include "autograd/kernels/partial-inl.h"

#if defined(TAPEGRAD_KERNELS_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_ROWS_INL_H
#undef TAPEGRAD_KERNELS_ROWS_INL_H
#else
#define TAPEGRAD_KERNELS_ROWS_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

// A sum of many vectors as a binary tree: as PairwiseSum, lane by lane.
template <class T>
class VectorSum {
 public:
  template <class V>
  HWY_INLINE HWY_ATTR void add(V part) {
    const RowTag<T> d;
    int level = 0;
    for (uint64_t bits = count_++; (bits & 1) != 0; bits >>= 1, ++level) {
      part = Add(Load(d, levels_[level]), part);
    }
    Store(part, d, levels_[level]);
  }
  // Of all lanes.
  HWY_INLINE HWY_ATTR double total() const {
    const RowTag<T> d;
    auto sum = Zero(d);
    int level = 0;
    for (uint64_t bits = count_; bits != 0; bits >>= 1, ++level) {
      if ((bits & 1) != 0) sum = Add(Load(d, levels_[level]), sum);
    }
    return static_cast<double>(GetLane(SumOfLanes(d, sum)));
  }

 private:
  uint64_t count_ = 0;
  HWY_ALIGN T levels_[48][MaxLanes(RowTag<T>())];
};

// Σ f(i) over vectors f(i) = the addends from element i on, where `part(i, n)` gives the last n with zeros
// behind. Four accumulators of eight addends each make a block; the blocks go into a pairwise tree.
template <class T, class Whole, class Part>
HWY_INLINE HWY_ATTR double sum_vectors(int64_t n, Whole whole, Part part) {
  const RowTag<T> d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  VectorSum<T> tree;
  int64_t i = 0;
  while (i + 4 * lanes <= n) {
    auto a = whole(i), b = whole(i + lanes), c = whole(i + 2 * lanes), e = whole(i + 3 * lanes);
    i += 4 * lanes;
    for (int k = 1; k < 8 && i + 4 * lanes <= n; ++k, i += 4 * lanes) {
      a = Add(a, whole(i));
      b = Add(b, whole(i + lanes));
      c = Add(c, whole(i + 2 * lanes));
      e = Add(e, whole(i + 3 * lanes));
    }
    tree.add(Add(Add(a, b), Add(c, e)));
  }
  if (i < n) {
    auto rest = Zero(d);
    for (; i + lanes <= n; i += lanes) rest = Add(rest, whole(i));
    if (i < n) rest = Add(rest, part(i, static_cast<size_t>(n - i)));
    tree.add(rest);
  }
  return tree.total();
}

template <class T>
HWY_INLINE HWY_ATTR double row_sum(const T* x, int64_t n) {
  const RowTag<T> d;
  return sum_vectors<T>(
      n, [&](int64_t i) HWY_ATTR { return LoadU(d, x + i); },
      [&](int64_t i, size_t count) HWY_ATTR { return load_partial(d, x + i, count); });
}

template <class T>
HWY_INLINE HWY_ATTR double row_product(const T* a, const T* b, int64_t n) {
  const RowTag<T> d;
  return sum_vectors<T>(
      n, [&](int64_t i) HWY_ATTR { return Mul(LoadU(d, a + i), LoadU(d, b + i)); },
      [&](int64_t i, size_t count)
          HWY_ATTR { return Mul(load_partial(d, a + i, count), load_partial(d, b + i, count)); });
}

// The largest or, with Sign −1, the smallest of the lanes; where some are NaN, one of those or of the others.
template <int Sign, class D>
HWY_INLINE HWY_ATTR TFromD<D> extreme_of_lanes(D d, Vec<D> v) {
#if HWY_TARGET == HWY_EMU128 || HWY_TARGET == HWY_SCALAR
  // The emulated target's MaxOfLanes knows no −inf.
  HWY_ALIGN TFromD<D> lane[MaxLanes(d)];
  Store(v, d, lane);
  return Sign > 0 ? *std::max_element(lane, lane + Lanes(d)) : *std::min_element(lane, lane + Lanes(d));
#else
  return GetLane(Sign > 0 ? MaxOfLanes(d, v) : MinOfLanes(d, v));
#endif
}

// The largest element, −inf without elements. Where there are NaNs, one of them or the largest beside them.
template <class T>
HWY_INLINE HWY_ATTR T row_largest(const T* x, int64_t n) {
  const RowTag<T> d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  const T lowest = -std::numeric_limits<T>::infinity();
  auto a = Set(d, lowest), b = a;
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    a = Max(LoadU(d, x + i), a);
    b = Max(LoadU(d, x + i + lanes), b);
  }
  if (i + lanes <= n) {
    a = Max(LoadU(d, x + i), a);
    i += lanes;
  }
  if (i < n) {
    const auto count = static_cast<size_t>(n - i);
    b = Max(IfThenElse(FirstN(d, count), load_partial(d, x + i, count), Set(d, lowest)), b);
  }
  return extreme_of_lanes<1>(d, Max(a, b));
}

// e^(x − shift), written to y if Keep; returns their sum. No x is above the shift; a NaN makes the sum NaN.
template <bool Keep, class T>
HWY_INLINE HWY_ATTR double row_exp(const T* x, T shift, T* y, int64_t n) {
  const RowTag<T> d;
  const auto by = Set(d, shift);
  return sum_vectors<T>(
      n,
      [&](int64_t i) HWY_ATTR {
        const auto e = exp_below(d, Sub(LoadU(d, x + i), by));
        if constexpr (Keep) StoreU(e, d, y + i);
        return e;
      },
      [&](int64_t i, size_t count) HWY_ATTR {
        const auto e = exp_below(d, Sub(load_partial(d, x + i, count), by));
        if constexpr (Keep) store_partial(d, e, y + i, count);
        // The lanes behind hold nothing of use.
        return IfThenElseZero(FirstN(d, count), e);
      });
}

// y/by by its inverse and a step of Newton's, which rounds as a division does wherever the result and what it
// lacks are normal numbers (Markstein, IA-64 and Elementary Functions, 2000).
template <class V>
HWY_INLINE HWY_ATTR V divided(V y, V by, V inverse) {
  const V near = Mul(y, inverse);
  return MulAdd(NegMulAdd(near, by, y), inverse, near);
}

// y[i] = f(i) by four vectors together, whole vectors and a last part: load(p + i) reads as f needs it.
template <class T, class F>
HWY_INLINE HWY_ATTR void row_map(T* y, int64_t n, F f) {
  const RowTag<T> d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    Vec<RowTag<T>> of[4];
#pragma GCC unroll 4
    for (int64_t j = 0; j < 4; ++j)
      of[j] = f([&](const T* p) HWY_ATTR { return LoadU(d, p + i + j * lanes); });
#pragma GCC unroll 4
    for (int64_t j = 0; j < 4; ++j) StoreU(of[j], d, y + i + j * lanes);
  }
  for (; i + lanes <= n; i += lanes)
    StoreU(f([&](const T* p) HWY_ATTR { return LoadU(d, p + i); }), d, y + i);
  if (i == n) return;
  const auto count = static_cast<size_t>(n - i);
  store_partial(d, f([&](const T* p) HWY_ATTR { return load_partial(d, p + i, count); }), y + i, count);
}

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
