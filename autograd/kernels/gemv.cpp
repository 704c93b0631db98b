// Matrix-vector and outer products.

#include <algorithm>
#include <utility>

#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/gemm_small.h"
#include "autograd/kernels/simd_targets.h"

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/gemv.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {
namespace {

template <class T>
using Tag = CappedTag<T, 64 / sizeof(T)>;

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

// The products of four rows of a matrix, or of fewer with some given twice, with x.
template <class T>
HWY_INLINE HWY_ATTR void dot_four(const T* a, const T* b, const T* c, const T* e, const T* x, int64_t columns,
                                  T* to) {
  const Tag<T> d;
  using V = Vec<Tag<T>>;
  constexpr int64_t kLanes = static_cast<int64_t>(MaxLanes(d));
  V a0 = Zero(d), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, e0 = a0, e1 = a0;
  int64_t j = 0;
  for (; j + 2 * kLanes <= columns; j += 2 * kLanes) {
    const V x0 = LoadU(d, x + j), x1 = LoadU(d, x + j + kLanes);
    a0 = MulAdd(LoadU(d, a + j), x0, a0), a1 = MulAdd(LoadU(d, a + j + kLanes), x1, a1);
    b0 = MulAdd(LoadU(d, b + j), x0, b0), b1 = MulAdd(LoadU(d, b + j + kLanes), x1, b1);
    c0 = MulAdd(LoadU(d, c + j), x0, c0), c1 = MulAdd(LoadU(d, c + j + kLanes), x1, c1);
    e0 = MulAdd(LoadU(d, e + j), x0, e0), e1 = MulAdd(LoadU(d, e + j + kLanes), x1, e1);
  }
  if (j + kLanes <= columns) {
    const V x0 = LoadU(d, x + j);
    a0 = MulAdd(LoadU(d, a + j), x0, a0), b0 = MulAdd(LoadU(d, b + j), x0, b0);
    c0 = MulAdd(LoadU(d, c + j), x0, c0), e0 = MulAdd(LoadU(d, e + j), x0, e0);
    j += kLanes;
  }
  if (j < columns) {
    const size_t rest = static_cast<size_t>(columns - j);
    const V x1 = load_partial(d, x + j, rest);
    a1 = MulAdd(load_partial(d, a + j, rest), x1, a1), b1 = MulAdd(load_partial(d, b + j, rest), x1, b1);
    c1 = MulAdd(load_partial(d, c + j, rest), x1, c1), e1 = MulAdd(load_partial(d, e + j, rest), x1, e1);
  }
  sums_of_four(d, Add(a0, a1), Add(b0, b1), Add(c0, c1), Add(e0, e1), to);
}

template <class T>
HWY_INLINE HWY_ATTR void dots(const void* matrix, int64_t columns, const void* vector, const void* bias,
                              int64_t bias_step, void* result, int64_t begin, int64_t end) {
  const T* x = static_cast<const T*>(vector);
  const T* start = static_cast<const T*>(bias);
  T* y = static_cast<T*>(result);
  if (columns <= 4) {  // less work than gathering the sums of lanes
    const T* row = static_cast<const T*>(matrix) + begin * columns;
    for (int64_t r = begin; r < end; ++r, row += columns) {
      T sum = bias_at(start, r * bias_step);
      for (int64_t j = 0; j < columns; ++j) sum += row[j] * x[j];
      y[r] = sum;
    }
    return;
  }
  for (int64_t r = begin; r < end; r += 4) {
    const T* row = static_cast<const T*>(matrix) + r * columns;
    const int64_t last = std::min<int64_t>(3, end - 1 - r);
    T sums[4];
    dot_four(row, row + std::min<int64_t>(1, last) * columns, row + std::min<int64_t>(2, last) * columns,
             row + last * columns, x, columns, sums);
    for (int64_t i = 0; i <= last; ++i) y[r + i] = sums[i] + bias_at(start, (r + i) * bias_step);
  }
}

// `Rows` rows of the matrix added to y, or, where they are the first, to the bias.
template <size_t Rows, class T>
HWY_INLINE HWY_ATTR void add_some(const T* matrix, int64_t row, const T* x, bool first, const T* bias,
                                  int64_t bias_step, T* y, int64_t begin, int64_t end) {
  const Tag<T> d;
  using V = Vec<Tag<T>>;
  constexpr int64_t kLanes = static_cast<int64_t>(MaxLanes(d));
  V factor[Rows];
  for (size_t i = 0; i < Rows; ++i) factor[i] = Set(d, x[i]);
  int64_t j = begin;
  for (; j + kLanes <= end; j += kLanes) {
    V sum = !first            ? LoadU(d, y + j)
            : bias == nullptr ? Zero(d)
            : bias_step == 0  ? Set(d, bias[0])
                              : LoadU(d, bias + j);
    for (size_t i = 0; i < Rows; ++i)
      sum = MulAdd(LoadU(d, matrix + static_cast<int64_t>(i) * row + j), factor[i], sum);
    StoreU(sum, d, y + j);
  }
  if (j == end) return;
  const size_t rest = static_cast<size_t>(end - j);
  V sum = !first            ? load_partial(d, y + j, rest)
          : bias == nullptr ? Zero(d)
          : bias_step == 0  ? Set(d, bias[0])
                            : load_partial(d, bias + j, rest);
  for (size_t i = 0; i < Rows; ++i) {
    sum = MulAdd(load_partial(d, matrix + static_cast<int64_t>(i) * row + j, rest), factor[i], sum);
  }
  store_partial(d, sum, y + j, rest);
}

template <class T>
HWY_INLINE HWY_ATTR void adds(const void* matrix, int64_t rows, int64_t columns, const void* vector,
                              const void* bias, int64_t bias_step, void* result, int64_t begin, int64_t end) {
  const T* a = static_cast<const T*>(matrix);
  const T* x = static_cast<const T*>(vector);
  const T* start = static_cast<const T*>(bias);
  T* y = static_cast<T*>(result);
  int64_t r = 0;
  for (; r + 8 <= rows; r += 8)
    add_some<8>(a + r * columns, columns, x + r, r == 0, start, bias_step, y, begin, end);
  for (; r + 4 <= rows; r += 4)
    add_some<4>(a + r * columns, columns, x + r, r == 0, start, bias_step, y, begin, end);
  for (; r < rows; ++r) add_some<1>(a + r * columns, columns, x + r, r == 0, start, bias_step, y, begin, end);
}

template <class T>
HWY_INLINE HWY_ATTR void outer(const void* left, const void* right, const void* offset, int64_t columns,
                               void* result, int64_t begin, int64_t end) {
  const Tag<T> d;
  using V = Vec<Tag<T>>;
  constexpr int64_t kLanes = static_cast<int64_t>(MaxLanes(d));
  const T* x = static_cast<const T*>(left);
  const T* y = static_cast<const T*>(right);
  const T* bias = static_cast<const T*>(offset);
  T* c = static_cast<T*>(result);
  const T* const c_end = c + end * columns;
  const int64_t whole = columns / kLanes * kLanes;
  const size_t rest = static_cast<size_t>(columns - whole);
  const V y_rest = load_partial(d, y + whole, rest);
  const V bias_rest = bias == nullptr ? Zero(d) : load_partial(d, bias + whole, rest);
  for (int64_t i = begin; i < end; ++i) {
    const V factor = Set(d, x[i]);
    T* row = c + i * columns;
    if (bias == nullptr) {
      for (int64_t j = 0; j < whole; j += kLanes) StoreU(Mul(factor, LoadU(d, y + j)), d, row + j);
    } else {
      for (int64_t j = 0; j < whole; j += kLanes) {
        StoreU(MulAdd(factor, LoadU(d, y + j), LoadU(d, bias + j)), d, row + j);
      }
    }
    if (rest == 0) continue;
    const V last = bias == nullptr ? Mul(factor, y_rest) : MulAdd(factor, y_rest, bias_rest);
    if (row + whole + kLanes <= c_end) {
      StoreU(last, d, row + whole);  // spills into the next row, which is written later
    } else {
      store_partial(d, last, row + whole, rest);
    }
  }
}

// Functions by type, for the tables.
HWY_ATTR void dots_float(const void* matrix, int64_t columns, const void* x, const void* bias,
                         int64_t bias_step, void* y, int64_t begin, int64_t end) {
  dots<float>(matrix, columns, x, bias, bias_step, y, begin, end);
}
HWY_ATTR void dots_double(const void* matrix, int64_t columns, const void* x, const void* bias,
                          int64_t bias_step, void* y, int64_t begin, int64_t end) {
  dots<double>(matrix, columns, x, bias, bias_step, y, begin, end);
}
HWY_ATTR void adds_float(const void* matrix, int64_t rows, int64_t columns, const void* x, const void* bias,
                         int64_t bias_step, void* y, int64_t begin, int64_t end) {
  adds<float>(matrix, rows, columns, x, bias, bias_step, y, begin, end);
}
HWY_ATTR void adds_double(const void* matrix, int64_t rows, int64_t columns, const void* x, const void* bias,
                          int64_t bias_step, void* y, int64_t begin, int64_t end) {
  adds<double>(matrix, rows, columns, x, bias, bias_step, y, begin, end);
}
HWY_ATTR void outer_float(const void* x, const void* y, const void* bias, int64_t columns, void* c,
                          int64_t begin, int64_t end) {
  outer<float>(x, y, bias, columns, c, begin, end);
}
HWY_ATTR void outer_double(const void* x, const void* y, const void* bias, int64_t columns, void* c,
                           int64_t begin, int64_t end) {
  outer<double>(x, y, bias, columns, c, begin, end);
}

}  // namespace
}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tapegrad::kernels {

HWY_EXPORT(dots_float);
HWY_EXPORT(dots_double);
HWY_EXPORT(adds_float);
HWY_EXPORT(adds_double);
HWY_EXPORT(outer_float);
HWY_EXPORT(outer_double);

void dot_rows(DType dtype, const void* matrix, int64_t columns, const void* x, const void* bias,
              int64_t bias_step, void* y, int64_t begin, int64_t end) {
  const auto* table =
      dtype == DType::float32 ? HWY_DISPATCH_TABLE(dots_float) : HWY_DISPATCH_TABLE(dots_double);
  target(table)(matrix, columns, x, bias, bias_step, y, begin, end);
}

void add_rows(DType dtype, const void* matrix, int64_t rows, int64_t columns, const void* x, const void* bias,
              int64_t bias_step, void* y, int64_t begin, int64_t end) {
  const auto* table =
      dtype == DType::float32 ? HWY_DISPATCH_TABLE(adds_float) : HWY_DISPATCH_TABLE(adds_double);
  target(table)(matrix, rows, columns, x, bias, bias_step, y, begin, end);
}

void outer_product(DType dtype, const void* x, const void* y, const void* bias, int64_t columns, void* c,
                   int64_t begin, int64_t end) {
  const auto* table =
      dtype == DType::float32 ? HWY_DISPATCH_TABLE(outer_float) : HWY_DISPATCH_TABLE(outer_double);
  target(table)(x, y, bias, columns, c, begin, end);
}

}  // namespace tapegrad::kernels

#endif
