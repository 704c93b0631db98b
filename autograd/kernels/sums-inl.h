// Sums of functions of elements, over rows and over columns, on vector lanes. Included once per target.

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <limits>

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

// Two sums of one row at once: f(v, so_far) adds to a Two; it may add anything in the lanes that are masked.
template <class T, class F>
HWY_INLINE HWY_ATTR void row_sum_two(const T* x, int64_t n, F f, double* a, double* b) {
  const RowTag<T> d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  using Sums = Two<Vec<decltype(d)>>;
  VectorSum<T> tree_a, tree_b;
  int64_t i = 0;
  while (i + 4 * lanes <= n) {
    Sums sum[4];
#pragma GCC unroll 4
    for (int64_t j = 0; j < 4; ++j) sum[j] = Sums{Zero(d), Zero(d)};
    for (int k = 0; k < 8 && i + 4 * lanes <= n; ++k, i += 4 * lanes) {
#pragma GCC unroll 4
      for (int64_t j = 0; j < 4; ++j) f(LoadU(d, x + i + j * lanes), sum[j]);
    }
    tree_a.add(Add(Add(sum[0].a, sum[1].a), Add(sum[2].a, sum[3].a)));
    tree_b.add(Add(Add(sum[0].b, sum[1].b), Add(sum[2].b, sum[3].b)));
  }
  if (i < n) {
    Sums rest{Zero(d), Zero(d)};
    for (; i + lanes <= n; i += lanes) f(LoadU(d, x + i), rest);
    tree_a.add(rest.a);
    tree_b.add(rest.b);
  }
  if (i < n) {
    const auto count = static_cast<size_t>(n - i);
    const auto within = FirstN(d, count);
    Sums last{Zero(d), Zero(d)};
    f(load_partial(d, x + i, count), last);
    tree_a.add(IfThenElseZero(within, last.a));
    tree_b.add(IfThenElseZero(within, last.b));
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

// How far from row i the row lies that is to be fetched meanwhile, since the processor foresees lines that
// follow each other, but not steps of a row's length: eight rows; 0 where there are none left, or where rows
// fall on the same set of the cache, which does not hold so many.
template <class T>
int64_t rows_ahead(int64_t i, int64_t n, int64_t stride) {
  const bool crowded = stride * static_cast<int64_t>(sizeof(T)) % 4096 == 0;
  return i + 16 <= n && !crowded ? 8 * stride : 0;
}

// Reads a vector and fetches what lies `ahead` of it.
template <class D, class T>
HWY_INLINE HWY_ATTR Vec<D> load_and_fetch(D d, const T* p, int64_t ahead) {
  hwy::Prefetch(p + ahead);
  return LoadU(d, p);
}

// The sum of f over `rows` ≤ 8 rows that lie `stride` apart, load(p) reading the columns of f.
template <bool Both, class T, class F, class Load>
HWY_INLINE HWY_ATTR auto sum_of_rows(const T* first, int64_t rows, int64_t stride, F f, Load load) {
  auto sum = f(load(first));
  const auto add = [&](int64_t r) HWY_ATTR {
    const auto more = f(load(first + r * stride));
    sum.a = Add(sum.a, more.a);
    if constexpr (Both) sum.b = Add(sum.b, more.b);
  };
  if (HWY_LIKELY(rows == 8)) {
#pragma GCC unroll 7
    for (int64_t r = 1; r < 8; ++r) add(r);
  } else {
    for (int64_t r = 1; r < rows; ++r) add(r);
  }
  return sum;
}

// Sums of columns, joined as a binary tree.
template <class T>
class ColumnTree {
 public:
  // Adds the first `columns` of the part, up to whole vectors.
  HWY_INLINE HWY_ATTR void add(const ColumnNumbers<T>& part, int64_t columns) {
    int level = 0;
    while ((count_ >> level & 1) != 0) ++level;
    for_vectors(columns, [&](auto d, int64_t c) HWY_ATTR {
      auto sum = Load(d, part.v + c);
      for (int l = 0; l < level; ++l) sum = Add(Load(d, levels_[l].v + c), sum);
      Store(sum, d, levels_[level].v + c);
    });
    ++count_;
  }
  HWY_INLINE HWY_ATTR void total(ColumnNumbers<T>* out, int64_t columns) const {
    for_vectors(columns, [&](auto d, int64_t c) HWY_ATTR {
      auto sum = Zero(d);
      for (int l = 0; count_ >> l != 0; ++l) {
        if ((count_ >> l & 1) != 0) sum = Add(Load(d, levels_[l].v + c), sum);
      }
      Store(sum, d, out->v + c);
    });
  }

 private:
  template <class Body>
  static HWY_INLINE HWY_ATTR void for_vectors(int64_t columns, Body body) {
    const RowTag<T> d;
    for (int64_t c = 0; c < columns; c += static_cast<int64_t>(Lanes(d))) body(d, c);
  }

  uint64_t count_ = 0;
  ColumnNumbers<T> levels_[8];  // of kMostRows / kRowsTogether parts
};
constexpr int64_t kRowsTogether = 32;
static_assert(kMostRows / kRowsTogether < 256);

// The sums of f over the rows of each column, f(v, c) being a Two for the elements of columns c…; four times
// eight rows, then a binary tree. b is not used where f gives one vector in both.
template <bool Both, class T, class F>
HWY_INLINE HWY_ATTR void column_sums_of(const T* x, int64_t n, int64_t columns, int64_t stride, F f,
                                        ColumnNumbers<T>* a, ColumnNumbers<T>* b) {
  const RowTag<T> d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  ColumnTree<T> tree_a, tree_b;
  for (int64_t i = 0; i < n; i += 8) {
    const T* first = x + i * stride;
    const int64_t rows = std::min<int64_t>(8, n - i);
    const int64_t ahead = rows_ahead<T>(i, n, stride);
    const bool begins = i % kRowsTogether == 0;
    const auto keep = [&](auto sum, int64_t c) HWY_ATTR {
      Store(begins ? sum.a : Add(Load(d, a->v + c), sum.a), d, a->v + c);
      if constexpr (Both) Store(begins ? sum.b : Add(Load(d, b->v + c), sum.b), d, b->v + c);
    };
    int64_t c = 0;
    for (; c + lanes <= columns; c += lanes) {
      keep(sum_of_rows<Both>(
               first + c, rows, stride, [&](auto v) HWY_ATTR { return f(v, c); },
               [&](const T* p) HWY_ATTR { return load_and_fetch(d, p, ahead); }),
           c);
    }
    if (c < columns) {
      const auto count = static_cast<size_t>(columns - c);
      keep(sum_of_rows<Both>(
               first + c, rows, stride, [&](auto v) HWY_ATTR { return f(v, c); },
               [&](const T* p) HWY_ATTR { return load_partial(d, p, count); }),
           c);
    }
    if (i % kRowsTogether < kRowsTogether - 8 && i + 8 < n) continue;
    if (i < kRowsTogether && i + 8 >= n) return;
    tree_a.add(*a, columns);
    if constexpr (Both) tree_b.add(*b, columns);
  }
  tree_a.total(a, columns);
  if constexpr (Both) tree_b.total(b, columns);
}

// The largest or, with Sign −1, the smallest of several vectors. What the vector maximum makes of a NaN
// differs between processors, so they are also added up: only where the sum is NaN can there be one.
template <int Sign, bool Absolute, class D>
struct Extreme {
  using V = Vec<D>;

  V best, sum;

  HWY_INLINE HWY_ATTR Extreme()
      : best(Set(D(), -Sign * std::numeric_limits<TFromD<D>>::infinity())), sum(Zero(D())) {}
  HWY_INLINE HWY_ATTR void take(V v) {
    if constexpr (Absolute) v = Abs(v);
    best = Sign > 0 ? Max(v, best) : Min(v, best);
    sum = Add(sum, v);
  }
  HWY_INLINE HWY_ATTR void take(const Extreme& other) {
    best = Sign > 0 ? Max(other.best, best) : Min(other.best, best);
    sum = Add(sum, other.sum);
  }
  HWY_INLINE HWY_ATTR bool maybe_nan() const { return !AllFalse(D(), IsNaN(sum)); }
};

// The largest |x| or x of a row or, with Sign −1, the smallest; NaN wins.
template <int Sign, bool Absolute, class T>
HWY_INLINE HWY_ATTR T row_extreme_of(const T* x, int64_t n) {
  const RowTag<T> d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  Extreme<Sign, Absolute, RowTag<T>> found[4];
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
#pragma GCC unroll 4
    for (int64_t k = 0; k < 4; ++k) found[k].take(LoadU(d, x + i + k * lanes));
  }
  for (; i + lanes <= n; i += lanes) found[0].take(LoadU(d, x + i));
  if (i < n) {
    // Elements that have been read already do no harm; where there are none, the first stands in.
    const auto count = static_cast<size_t>(n - i);
    found[1].take(n >= lanes ? LoadU(d, x + n - lanes)
                             : IfThenElse(FirstN(d, count), load_partial(d, x + i, count), Set(d, x[0])));
  }
  found[0].take(found[1]);
  found[2].take(found[3]);
  found[0].take(found[2]);
  if (HWY_UNLIKELY(found[0].maybe_nan()) && std::any_of(x, x + n, [](T v) { return v != v; })) {
    return std::numeric_limits<T>::quiet_NaN();
  }
  return extreme_of_lanes<Sign>(d, found[0].best);
}

// The same for each column.
template <int Sign, bool Absolute, class T>
HWY_INLINE HWY_ATTR void column_extremes_of(const T* x, int64_t n, int64_t columns, int64_t stride,
                                            ColumnNumbers<T>* out) {
  const RowTag<T> d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  for (int64_t i = 0; i < n; i += 8) {
    const int64_t rows = std::min<int64_t>(8, n - i);
    const int64_t ahead = rows_ahead<T>(i, n, stride);
    const auto take_rows = [&](int64_t c, auto load) HWY_ATTR {
      Extreme<Sign, Absolute, RowTag<T>> found;
      const T* first = x + i * stride + c;
      if (HWY_LIKELY(rows == 8)) {
#pragma GCC unroll 8
        for (int64_t r = 0; r < 8; ++r) found.take(load(first + r * stride));
      } else {
        for (int64_t r = 0; r < rows; ++r) found.take(load(first + r * stride));
      }
      auto nan = MaskFromVec(Zero(d));
      if (HWY_UNLIKELY(found.maybe_nan())) {
        for (int64_t r = 0; r < rows; ++r) nan = Or(nan, IsNaN(load(first + r * stride)));
      }
      if (i > 0) {
        const auto before = Load(d, out->v + c);
        nan = Or(nan, IsNaN(before));
        found.best = Sign > 0 ? Max(found.best, before) : Min(found.best, before);
      }
      Store(IfThenElse(nan, Set(d, std::numeric_limits<T>::quiet_NaN()), found.best), d, out->v + c);
    };
    int64_t c = 0;
    for (; c + lanes <= columns; c += lanes) {
      take_rows(c, [&](const T* p) HWY_ATTR { return load_and_fetch(d, p, ahead); });
    }
    if (c < columns) {
      const auto count = static_cast<size_t>(columns - c);
      take_rows(c, [&](const T* p) HWY_ATTR { return load_partial(d, p, count); });
    }
  }
}

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
