// Matrix-vector products. Included once per target.

#include <algorithm>
#include <utility>

#include "autograd/kernels/chains-inl.h"
#include "autograd/kernels/partial-inl.h"

#if defined(TAPEGRAD_KERNELS_GEMV_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_GEMV_INL_H
#undef TAPEGRAD_KERNELS_GEMV_INL_H
#else
#define TAPEGRAD_KERNELS_GEMV_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

// Up to here a vector of rows is multiplied at once.
constexpr int64_t kFewColumns = 128;

template <class T>
T bias_at(const T* bias, int64_t at) {
  return bias == nullptr ? T{0} : bias[at];
}

// Writes the sums of the lanes of four vectors.
template <class D, class V>
HWY_INLINE HWY_ATTR void sums_of_four(D d, V a, V b, V c, V e, TFromD<D>* to) {
  using T = TFromD<D>;
  if constexpr (MaxLanes(d) == 1) {
    to[0] = GetLane(a), to[1] = GetLane(b), to[2] = GetLane(c), to[3] = GetLane(e);
  } else if constexpr (MaxLanes(d) * sizeof(T) > 16) {
    const Half<D> half;
    const auto fold = [&](V v) HWY_ATTR { return Add(LowerHalf(half, v), UpperHalf(half, v)); };
    sums_of_four(half, fold(a), fold(b), fold(c), fold(e), to);
  } else if constexpr (sizeof(T) == 8) {
    StoreU(Add(InterleaveLower(d, a, b), InterleaveUpper(d, a, b)), d, to);
    StoreU(Add(InterleaveLower(d, c, e), InterleaveUpper(d, c, e)), d, to + 2);
  } else {
    const RepartitionToWide<RebindToUnsigned<D>> wide;
    const auto ab = BitCast(wide, Add(InterleaveLower(d, a, b), InterleaveUpper(d, a, b)));
    const auto ce = BitCast(wide, Add(InterleaveLower(d, c, e), InterleaveUpper(d, c, e)));
    StoreU(Add(BitCast(d, InterleaveLower(wide, ab, ce)), BitCast(d, InterleaveUpper(wide, ab, ce))), d, to);
  }
}

// Lane i of the result is the sum of the lanes of v[i], added in the order of sums_of_four. As many vectors
// as they have lanes, which are overwritten.
template <class D, class V>
HWY_INLINE HWY_ATTR V sums_of_all(D d, V* v) {
  constexpr size_t kBytes = MaxLanes(d) * sizeof(TFromD<D>);
  size_t count = MaxLanes(d);
  if constexpr (kBytes >= 32) {
    count /= 2;
#pragma GCC unroll 8
    for (size_t k = 0; k < count; ++k)
      v[k] = Add(ConcatLowerLower(d, v[k + count], v[k]), ConcatUpperUpper(d, v[k + count], v[k]));
  }
  if constexpr (kBytes == 64) {
    count /= 2;
#pragma GCC unroll 4
    for (size_t k = 0; k < count; ++k) {
      const V a = v[k], b = v[k + count];
      v[k] = Add(OddEvenBlocks(SwapAdjacentBlocks(b), a), OddEvenBlocks(b, SwapAdjacentBlocks(a)));
    }
  }
  if constexpr (sizeof(TFromD<D>) == 8) {
    return Add(InterleaveLower(d, v[0], v[1]), InterleaveUpper(d, v[0], v[1]));
  } else {
    const RepartitionToWide<RebindToUnsigned<D>> wide;
    const auto low = BitCast(wide, Add(InterleaveLower(d, v[0], v[1]), InterleaveUpper(d, v[0], v[1])));
    const auto high = BitCast(wide, Add(InterleaveLower(d, v[2], v[3]), InterleaveUpper(d, v[2], v[3])));
    return Add(BitCast(d, InterleaveLower(wide, low, high)), BitCast(d, InterleaveUpper(wide, low, high)));
  }
}

// The sum of the lanes, added in the order of sums_of_four.
template <class D, class V>
HWY_INLINE HWY_ATTR TFromD<D> sum_of_one(D d, V v) {
  if constexpr (MaxLanes(d) == 1) {
    return GetLane(v);
  } else {
    const Half<D> half;
    return sum_of_one(half, Add(LowerHalf(half, v), UpperHalf(half, v)));
  }
}

// The products of four or eight rows of a matrix, some perhaps given twice, with x: each one chain per lane,
// so that a row gives the same whatever stands beside it.
template <size_t Rows, class T>
HWY_INLINE HWY_ATTR void dot_some(const T* const (&row)[Rows], const T* x, int64_t columns, T* to) {
  const RowTag<T> d;
  using V = Vec<RowTag<T>>;
  constexpr int64_t kLanes = static_cast<int64_t>(MaxLanes(d));
  V sum[Rows];
#pragma GCC unroll 8
  for (V& s : sum) s = Zero(d);
  int64_t j = 0;
  for (; j + kLanes <= columns; j += kLanes) {
    const V at = LoadU(d, x + j);
#pragma GCC unroll 8
    for (size_t i = 0; i < Rows; ++i) sum[i] = MulAdd(LoadU(d, row[i] + j), at, sum[i]);
  }
  if (j < columns) {
    const size_t rest = static_cast<size_t>(columns - j);
    const V at = load_partial(d, x + j, rest);
#pragma GCC unroll 8
    for (size_t i = 0; i < Rows; ++i) sum[i] = MulAdd(load_partial(d, row[i] + j, rest), at, sum[i]);
  }
#pragma GCC unroll 8
  for (size_t i = 0; i < Rows; i += 4) sums_of_four(d, sum[i], sum[i + 1], sum[i + 2], sum[i + 3], to + i);
}

// The product of one row with x as dot_some gives it.
template <class T>
HWY_INLINE HWY_ATTR T dot_one(const T* row, const T* x, int64_t columns) {
  const RowTag<T> d;
  auto sum = Zero(d);
  int64_t j = 0;
  for (; j + kRowLanes<T> <= columns; j += kRowLanes<T>)
    sum = MulAdd(LoadU(d, row + j), LoadU(d, x + j), sum);
  if (j < columns) {
    const size_t rest = static_cast<size_t>(columns - j);
    sum = MulAdd(load_partial(d, row + j, rest), load_partial(d, x + j, rest), sum);
  }
  return sum_of_one(d, sum);
}

// The products of as many rows of a matrix as a vector has lanes with x, each as dot_some gives it.
template <class T>
HWY_INLINE HWY_ATTR Vec<RowTag<T>> dot_vector(const T* matrix, const T* x, int64_t columns) {
  const RowTag<T> d;
  constexpr size_t kLanes = MaxLanes(d);
  Vec<RowTag<T>> sum[kLanes];
#pragma GCC unroll 16
  for (size_t i = 0; i < kLanes; ++i) sum[i] = Zero(d);
  int64_t j = 0;
  for (; j + static_cast<int64_t>(kLanes) <= columns; j += static_cast<int64_t>(kLanes)) {
    const auto at = LoadU(d, x + j);
#pragma GCC unroll 16
    for (size_t i = 0; i < kLanes; ++i)
      sum[i] = MulAdd(LoadU(d, matrix + static_cast<int64_t>(i) * columns + j), at, sum[i]);
  }
  if (j < columns) {
    const size_t rest = static_cast<size_t>(columns - j);
    const auto at = load_partial(d, x + j, rest);
#pragma GCC unroll 16
    for (size_t i = 0; i < kLanes; ++i)
      sum[i] = MulAdd(load_partial(d, matrix + static_cast<int64_t>(i) * columns + j, rest), at, sum[i]);
  }
  return sums_of_all(d, sum);
}

// bias + v[0]·x[0] + v[1]·x[1] + …, each operation rounded.
template <class D, class V, size_t N>
HWY_INLINE HWY_ATTR V sum_in_order(D d, V sum, const V (&v)[N], const TFromD<D>* x) {
#pragma GCC unroll 8
  for (size_t k = 0; k < N; ++k) sum = Add(sum, Mul(v[k], Set(d, x[k])));
  return sum;
}

// A vector of rows at a time, and the rest where one vector holds it. Returns the first row that is left.
template <size_t Columns, class T>
HWY_INLINE HWY_ATTR int64_t dots_of_short_rows(const T* row, const T* x, const T* bias, int64_t bias_step,
                                               T* y, int64_t begin, int64_t end, bool padded) {
  const RowTag<T> d;
  using V = Vec<RowTag<T>>;
  constexpr int64_t kLanes = static_cast<int64_t>(MaxLanes(d));
  constexpr auto kColumns = static_cast<int64_t>(Columns);
  int64_t r = begin;
  auto start = [&](int64_t n) HWY_ATTR {
    return bias == nullptr  ? Zero(d)
           : bias_step == 0 ? Set(d, bias[0])
           : n == kLanes    ? LoadU(d, bias + r)
                            : load_partial(d, bias + r, static_cast<size_t>(n));
  };
  for (; r + kLanes <= end; r += kLanes, row += kLanes * kColumns) {
    V v[Columns];
    if constexpr (Columns == 2) LoadInterleaved2(d, row, v[0], v[1]);
    if constexpr (Columns == 3) LoadInterleaved3(d, row, v[0], v[1], v[2]);
    if constexpr (Columns == 4) LoadInterleaved4(d, row, v[0], v[1], v[2], v[3]);
    StoreU(sum_in_order(d, start(kLanes), v, x), d, y + r);
  }
  const int64_t rest = end - r;
  if (rest == 0 || rest * kColumns > kLanes) return r;
  const V whole =
      rest * kColumns == kLanes ? LoadU(d, row) : load_partial(d, row, static_cast<size_t>(rest * kColumns));
  const RebindToSigned<RowTag<T>> di;
  using Index = TFromD<RebindToSigned<RowTag<T>>>;
  const auto first = Mul(Min(Iota(di, 0), Set(di, static_cast<Index>(kLanes / kColumns - 1))),
                         Set(di, static_cast<Index>(kColumns)));
  V v[Columns];
  for (size_t k = 0; k < Columns; ++k) {
    v[k] = TableLookupLanes(whole, IndicesFromVec(d, Add(first, Set(di, static_cast<Index>(k)))));
  }
  const V sum = sum_in_order(d, start(rest), v, x);
  if (rest == kLanes || padded) {
    StoreU(sum, d, y + r);
  } else {
    store_partial(d, sum, y + r, static_cast<size_t>(rest));
  }
  return end;
}

template <class T>
HWY_INLINE HWY_ATTR int64_t short_dots(const T* row, int64_t columns, const T* x, const T* bias,
                                       int64_t bias_step, T* y, int64_t begin, int64_t end, bool padded) {
  if constexpr (MaxLanes(RowTag<T>{}) >= 4) {
    switch (columns) {
      case 2: return dots_of_short_rows<2>(row, x, bias, bias_step, y, begin, end, padded);
      case 3: return dots_of_short_rows<3>(row, x, bias, bias_step, y, begin, end, padded);
      case 4: return dots_of_short_rows<4>(row, x, bias, bias_step, y, begin, end, padded);
      default: break;
    }
  }
  return begin;
}

// Up to `Rows` rows from r on.
template <size_t Rows, class T>
HWY_INLINE HWY_ATTR void dots_of_some(const T* matrix, int64_t columns, const T* x, const T* bias,
                                      int64_t bias_step, T* y, int64_t r, int64_t end) {
  const T* rows[Rows];
#pragma GCC unroll 8
  for (size_t i = 0; i < Rows; ++i)
    rows[i] = matrix + std::min(r + static_cast<int64_t>(i), end - 1) * columns;
  T sums[Rows];
  dot_some(rows, x, columns, sums);
  for (size_t i = 0; i < Rows && r < end; ++i, ++r) y[r] = sums[i] + bias_at(bias, r * bias_step);
}

template <class T>
HWY_INLINE HWY_ATTR void dots(const void* matrix, int64_t columns, const void* vector, const void* bias,
                              int64_t bias_step, void* result, int64_t begin, int64_t end, bool padded) {
  const T* x = static_cast<const T*>(vector);
  const T* start = static_cast<const T*>(bias);
  T* y = static_cast<T*>(result);
  if (columns <= 4) {  // less work than gathering the sums of lanes
    const T* row = static_cast<const T*>(matrix) + begin * columns;
    int64_t r = short_dots(row, columns, x, start, bias_step, y, begin, end, padded);
    row += (r - begin) * columns;
    for (; r < end; ++r, row += columns) {
      T sum = bias_at(start, r * bias_step);
      for (int64_t j = 0; j < columns; ++j) sum += row[j] * x[j];
      y[r] = sum;
    }
    return;
  }
  int64_t r = begin;
  if constexpr (MaxLanes(RowTag<T>{}) >= 4) {
    const RowTag<T> d;
    constexpr auto kLanes = static_cast<int64_t>(MaxLanes(d));
    if (columns <= kFewColumns) {  // more at once would read too many places of a large matrix in turn
      for (; r + kLanes <= end; r += kLanes) {
        const auto sums = dot_vector(static_cast<const T*>(matrix) + r * columns, x, columns);
        StoreU(Add(sums, start == nullptr ? Zero(d)
                         : bias_step == 0 ? Set(d, *start)
                                          : LoadU(d, start + r)),
               d, y + r);
      }
    }
  }
  const T* const rows = static_cast<const T*>(matrix);
  for (; end - r > 4; r += 8) dots_of_some<8>(rows, columns, x, start, bias_step, y, r, end);
  for (; end - r > 1; r += 4) dots_of_some<4>(rows, columns, x, start, bias_step, y, r, end);
  if (r < end) y[r] = dot_one(rows + r * columns, x, columns) + bias_at(start, r * bias_step);
}

// `Rows` rows of the matrix added to y, or, where they are the first, to the bias.
template <size_t Rows, class T>
HWY_INLINE HWY_ATTR void add_some(const T* matrix, int64_t row, const T* x, bool first, const T* bias,
                                  int64_t bias_step, T* y, int64_t begin, int64_t end) {
  const RowTag<T> d;
  using V = Vec<RowTag<T>>;
  constexpr int64_t kLanes = static_cast<int64_t>(MaxLanes(d));
  V factor[Rows], w[Rows];
#pragma GCC unroll 16
  for (size_t i = 0; i < Rows; ++i) factor[i] = Set(d, x[i]);
  int64_t j = begin;
  for (; j + kLanes <= end; j += kLanes) {
    const V start = !first            ? LoadU(d, y + j)
                    : bias == nullptr ? Zero(d)
                    : bias_step == 0  ? Set(d, bias[0])
                                      : LoadU(d, bias + j);
#pragma GCC unroll 16
    for (size_t i = 0; i < Rows; ++i) w[i] = LoadU(d, matrix + static_cast<int64_t>(i) * row + j);
    StoreU(add_products<Rows>(start, w, factor), d, y + j);
  }
  if (j == end) return;
  const size_t rest = static_cast<size_t>(end - j);
  const V start = !first            ? load_partial(d, y + j, rest)
                  : bias == nullptr ? Zero(d)
                  : bias_step == 0  ? Set(d, bias[0])
                                    : load_partial(d, bias + j, rest);
#pragma GCC unroll 16
  for (size_t i = 0; i < Rows; ++i) {
    w[i] = load_partial(d, matrix + static_cast<int64_t>(i) * row + j, rest);
  }
  store_partial(d, add_products<Rows>(start, w, factor), y + j, rest);
}

template <class T>
HWY_INLINE HWY_ATTR void adds(const void* matrix, int64_t rows, int64_t columns, const void* vector,
                              const void* bias, int64_t bias_step, void* result, int64_t begin, int64_t end) {
  const T* a = static_cast<const T*>(matrix);
  const T* x = static_cast<const T*>(vector);
  const T* start = static_cast<const T*>(bias);
  T* y = static_cast<T*>(result);
  int64_t r = 0;
  for (; r + kRowsAtOnce <= rows; r += kRowsAtOnce)
    add_some<kRowsAtOnce>(a + r * columns, columns, x + r, r == 0, start, bias_step, y, begin, end);
  for (; r + 8 <= rows; r += 8)
    add_some<8>(a + r * columns, columns, x + r, r == 0, start, bias_step, y, begin, end);
  for (; r + 4 <= rows; r += 4)
    add_some<4>(a + r * columns, columns, x + r, r == 0, start, bias_step, y, begin, end);
  for (; r < rows; ++r) add_some<1>(a + r * columns, columns, x + r, r == 0, start, bias_step, y, begin, end);
}

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
