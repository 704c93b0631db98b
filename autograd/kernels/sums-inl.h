// Sums of functions of elements, over rows and over columns, on vector lanes. Included once per target.

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/kernels/pairwise.h"
#include "autograd/kernels/reduce_parts.h"

#include "autograd/kernels/rows-inl.h"

#if defined(TAPEGRAD_KERNELS_SUMS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_SUMS_INL_H
#undef TAPEGRAD_KERNELS_SUMS_INL_H
#else
#define TAPEGRAD_KERNELS_SUMS_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

// What a function of an element yields where two sums are wanted.
template <class V>
struct Two {
  V a, b;
};

// Two sums of one row at once: f(v) gives a Two; f may give anything in the lanes that are masked.
template <class T, class F>
HWY_INLINE HWY_ATTR void row_sum_two(const T* x, int64_t n, F f, double* a, double* b) {
  const RowTag<T> d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  PairwiseSum<double> tree_a, tree_b;
  int64_t i = 0;
  while (i + 2 * lanes <= n) {
    auto even = f(LoadU(d, x + i)), odd = f(LoadU(d, x + i + lanes));
    i += 2 * lanes;
    for (int k = 1; k < 8 && i + 2 * lanes <= n; ++k, i += 2 * lanes) {
      const auto p = f(LoadU(d, x + i)), q = f(LoadU(d, x + i + lanes));
      even.a = Add(even.a, p.a);
      even.b = Add(even.b, p.b);
      odd.a = Add(odd.a, q.a);
      odd.b = Add(odd.b, q.b);
    }
    tree_a.add(static_cast<double>(GetLane(SumOfLanes(d, Add(even.a, odd.a)))));
    tree_b.add(static_cast<double>(GetLane(SumOfLanes(d, Add(even.b, odd.b)))));
  }
  for (; i < n; i += lanes) {
    const auto count = static_cast<size_t>(std::min(lanes, n - i));
    const bool whole = count == Lanes(d);
    const auto p = f(whole ? LoadU(d, x + i) : load_partial(d, x + i, count));
    const auto within = FirstN(d, count);
    tree_a.add(static_cast<double>(GetLane(SumOfLanes(d, IfThenElseZero(within, p.a)))));
    tree_b.add(static_cast<double>(GetLane(SumOfLanes(d, IfThenElseZero(within, p.b)))));
  }
  *a = tree_a.total();
  *b = tree_b.total();
}

// Σ f(x) over one row.
template <class T, class F>
HWY_INLINE HWY_ATTR double row_sum_of(const T* x, int64_t n, F f) {
  const RowTag<T> d;
  return sum_vectors<T>(
      n, [&](int64_t i) HWY_ATTR { return f(LoadU(d, x + i)); },
      [&](int64_t i, size_t count)
          HWY_ATTR { return IfThenElseZero(FirstN(d, count), f(load_partial(d, x + i, count))); });
}

// One number for each column; whole vectors may be read and written.
template <class T>
struct ColumnNumbers {
  HWY_ALIGN T v[kColumns];
};

// `columns` ≤ kColumns elements at p from c on, as a vector with zeros behind the last.
template <class D, class T>
HWY_INLINE HWY_ATTR Vec<D> load_columns(D d, const T* p, int64_t c, int64_t columns) {
  if (HWY_LIKELY(c + static_cast<int64_t>(Lanes(d)) <= columns)) return LoadU(d, p + c);
  return load_partial(d, p + c, static_cast<size_t>(columns - c));
}

// The same; zeros also where no column is left.
template <class D, class T>
HWY_INLINE HWY_ATTR Vec<D> load_columns_or_none(D d, const T* p, int64_t c, int64_t columns) {
  return c < columns ? load_columns(d, p, c, columns) : Zero(d);
}

// The sums of f over the rows of each column, f(v, c) being a Two for the elements of columns c…; blocks of
// eight rows, then a binary tree. b may be null where f gives one vector in both.
template <bool Both, class T, class F>
HWY_INLINE HWY_ATTR void column_sums_of(const T* x, int64_t n, int64_t columns, int64_t stride, F f,
                                        ColumnNumbers<T>* a, ColumnNumbers<T>* b) {
  constexpr int kLevels = 10;  // of kMostRows / 8 blocks
  const RowTag<T> d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  ColumnNumbers<T> tree_a[kLevels], tree_b[Both ? kLevels : 1];
  const int64_t blocks = (n + 7) / 8;
  for (int64_t k = 0; k < blocks; ++k) {
    const T* first = x + 8 * k * stride;
    const int64_t rows = std::min<int64_t>(8, n - 8 * k);
    for (int64_t c = 0; c < columns; c += lanes) {
      auto sum = f(load_columns(d, first, c, columns), c);
      for (int64_t r = 1; r < rows; ++r) {
        const auto more = f(load_columns(d, first + r * stride, c, columns), c);
        sum.a = Add(sum.a, more.a);
        if constexpr (Both) sum.b = Add(sum.b, more.b);
      }
      int level = 0;
      for (int64_t bits = k; (bits & 1) != 0; bits >>= 1, ++level) {
        sum.a = Add(Load(d, tree_a[level].v + c), sum.a);
        if constexpr (Both) sum.b = Add(Load(d, tree_b[level].v + c), sum.b);
      }
      Store(sum.a, d, tree_a[level].v + c);
      if constexpr (Both) Store(sum.b, d, tree_b[level].v + c);
    }
  }
  for (int64_t c = 0; c < columns; c += lanes) {
    auto sum_a = Zero(d), sum_b = Zero(d);
    for (int level = 0; level < kLevels; ++level) {
      if ((blocks >> level & 1) == 0) continue;
      sum_a = Add(Load(d, tree_a[level].v + c), sum_a);
      if constexpr (Both) sum_b = Add(Load(d, tree_b[level].v + c), sum_b);
    }
    Store(sum_a, d, a->v + c);
    if constexpr (Both) Store(sum_b, d, b->v + c);
  }
}

// The largest |x| or x of a row or, with Sign −1, the smallest; NaN wins.
template <int Sign, bool Absolute, class T>
HWY_INLINE HWY_ATTR T row_extreme_of(const T* x, int64_t n) {
  const RowTag<T> d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  const T lowest = -Sign * std::numeric_limits<T>::infinity();
  // A NaN is kept aside: what the vector maximum makes of it differs between processors.
  const auto nothing = Set(d, lowest);
  auto a = nothing, b = nothing, nan = Zero(d);
  const auto take = [&](auto& best, auto v) HWY_ATTR {
    nan = IfThenElse(IsNaN(v), v, nan);
    best = Sign > 0 ? Max(v, best) : Min(v, best);
  };
  const auto size = [&](auto v) HWY_ATTR { return Absolute ? Abs(v) : v; };
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    take(a, size(LoadU(d, x + i)));
    take(b, size(LoadU(d, x + i + lanes)));
  }
  for (; i < n; i += lanes) {
    if (i + lanes <= n) {
      take(a, size(LoadU(d, x + i)));
    } else {
      const auto count = static_cast<size_t>(n - i);
      take(a, IfThenElse(FirstN(d, count), size(load_partial(d, x + i, count)), nothing));
    }
  }
  if (HWY_UNLIKELY(!AllFalse(d, IsNaN(nan)))) return std::numeric_limits<T>::quiet_NaN();
  // By hand: the emulated target's MaxOfLanes knows no −inf.
  HWY_ALIGN T lane[MaxLanes(d)];
  Store(Sign > 0 ? Max(a, b) : Min(a, b), d, lane);
  return Sign > 0 ? *std::max_element(lane, lane + lanes) : *std::min_element(lane, lane + lanes);
}

// The same for each column.
template <int Sign, bool Absolute, class T>
HWY_INLINE HWY_ATTR void column_extremes_of(const T* x, int64_t n, int64_t columns, int64_t stride,
                                            ColumnNumbers<T>* out) {
  const RowTag<T> d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  constexpr int64_t kVectors = 4;  // side by side, so that one need not wait for another
  static_assert(kColumns % (kVectors * static_cast<int64_t>(MaxLanes(d))) == 0);
  for (int64_t c = 0; c < columns; c += kVectors * lanes) {
    Vec<decltype(d)> best[kVectors];
#pragma GCC unroll 4
    for (int64_t k = 0; k < kVectors; ++k) best[k] = Set(d, -Sign * std::numeric_limits<T>::infinity());
    for (int64_t i = 0; i < n; ++i) {
#pragma GCC unroll 4
      for (int64_t k = 0; k < kVectors; ++k) {
        auto v = load_columns_or_none(d, x + i * stride, c + k * lanes, columns);
        if (Absolute) v = Abs(v);
        const auto stays = Or(Sign > 0 ? Le(v, best[k]) : Ge(v, best[k]), IsNaN(best[k]));
        best[k] = IfThenElse(stays, best[k], v);
      }
    }
#pragma GCC unroll 4
    for (int64_t k = 0; k < kVectors; ++k) Store(best[k], d, out->v + c + k * lanes);
  }
}

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
