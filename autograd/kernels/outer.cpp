// Outer products, and the step of a matrix along one.

#include <algorithm>
#include <numeric>

#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/gemm_small.h"
#include "autograd/kernels/simd_targets.h"

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/outer.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/chains-inl.h"
#include "autograd/kernels/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {
namespace {

template <class T>
using Tag = CappedTag<T, 64 / sizeof(T)>;
template <class T>
constexpr int64_t kLanes = static_cast<int64_t>(MaxLanes(Tag<T>{}));

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

// x·y·factor + w, each operation rounded. A product that started as a sum, from 0, has no negative zero.
template <class D, class V>
HWY_INLINE HWY_ATTR V moved(D d, V x, V y, V factor, V w, bool from_zero) {
  V product = Mul(x, y);
  if (from_zero) product = Add(Zero(d), product);
  return Add(Mul(product, factor), w);
}

// Some rows side by side, which keeps several streams from memory going.
template <int64_t Rows, class T>
HWY_INLINE HWY_ATTR void move_rows(const T* x, const T* y, T by, bool from_zero, int64_t columns,
                                   const T* from, T* to) {
  const Tag<T> d;
  using V = Vec<Tag<T>>;
  const V factor = Set(d, by);
  V left[Rows];
#pragma GCC unroll 8
  for (int64_t i = 0; i < Rows; ++i) left[i] = Set(d, x[i]);
  int64_t j = 0;
  for (; j + kLanes<T> <= columns; j += kLanes<T>) {
    const V right = LoadU(d, y + j);
#pragma GCC unroll 8
    for (int64_t i = 0; i < Rows; ++i) {
      const V w = LoadU(d, from + i * columns + j);
      StoreU(moved(d, left[i], right, factor, w, from_zero), d, to + i * columns + j);
    }
  }
  if (j == columns) return;
  const size_t rest = static_cast<size_t>(columns - j);
  const V right = load_partial(d, y + j, rest);
#pragma GCC unroll 8
  for (int64_t i = 0; i < Rows; ++i) {
    const V w = load_partial(d, from + i * columns + j, rest);
    store_partial(d, moved(d, left[i], right, factor, w, from_zero), to + i * columns + j, rest);
  }
}

// Rows shorter than a vector, as many at once as it has room for. Whole vectors are read and written as far
// as memory allows, with what stands behind the rows put back as it was.
template <class T>
HWY_INLINE HWY_ATTR void move_short_rows(const T* x, const T* y, T by, bool from_zero, int64_t columns,
                                         const T* from, T* to, int64_t begin, int64_t end, int64_t readable) {
  const Tag<T> d;
  const RebindToSigned<Tag<T>> di;
  using V = Vec<Tag<T>>;
  // Which row and column a lane is in; the half keeps the quotient of whole numbers off its steps.
  const V lane = Iota(d, T{0});
  const auto row = ConvertTo(di, Mul(Add(lane, Set(d, T{0.5})), Set(d, T{1} / static_cast<T>(columns))));
  const auto column = ConvertTo(di, Sub(lane, Mul(ConvertTo(d, row), Set(d, static_cast<T>(columns)))));
  const auto rows = IndicesFromVec(d, row), across = IndicesFromVec(d, column);
  const V factor = Set(d, by);
  const V right = TableLookupLanes(load_partial(d, y, static_cast<size_t>(columns)), across);
  const int64_t at_once = kLanes<T> / columns;
  for (int64_t r = begin; r < end; r += at_once) {
    const int64_t count = std::min(at_once, end - r), elements = count * columns, at = r * columns;
    const V some = count < kLanes<T> ? load_partial(d, x + r, static_cast<size_t>(count)) : LoadU(d, x + r);
    const V left = TableLookupLanes(some, rows);
    if (at + kLanes<T> <= readable) {
      const V w = LoadU(d, from + at), v = moved(d, left, right, factor, w, from_zero);
      if (elements == kLanes<T>) {
        StoreU(v, d, to + at);
      } else {
        const V kept = LoadU(d, to + at);
        StoreU(IfThenElse(Lt(lane, Set(d, static_cast<T>(elements))), v, kept), d, to + at);
      }
    } else {
      const V w = load_partial(d, from + at, static_cast<size_t>(elements));
      store_partial(d, moved(d, left, right, factor, w, from_zero), to + at, static_cast<size_t>(elements));
    }
  }
}

template <class T>
HWY_INLINE HWY_ATTR void move(const void* left, const void* right, const void* by, bool from_zero,
                              int64_t columns, const void* source, void* target, int64_t begin, int64_t end,
                              int64_t readable) {
  const T *x = static_cast<const T*>(left), *y = static_cast<const T*>(right),
          *from = static_cast<const T*>(source);
  const T factor = *static_cast<const T*>(by);
  T* to = static_cast<T*>(target);
  if (columns < kLanes<T>) {
    return move_short_rows(x, y, factor, from_zero, columns, from, to, begin, end, readable);
  }
  int64_t r = begin;
  for (; r + 8 <= end; r += 8) {
    move_rows<8>(x + r, y, factor, from_zero, columns, from + r * columns, to + r * columns);
  }
  for (; r < end; ++r) {
    move_rows<1>(x + r, y, factor, from_zero, columns, from + r * columns, to + r * columns);
  }
}

// Some rows added to y, or, where they are the first, put there, and then moved.
template <int64_t Rows, class T>
HWY_INLINE HWY_ATTR void add_and_move_rows(const T* x, const T* right, T by, bool from_zero, bool first,
                                           int64_t columns, const T* from, T* y, T* to) {
  const Tag<T> d;
  using V = Vec<Tag<T>>;
  const V factor = Set(d, by);
  V left[Rows], w[Rows];
#pragma GCC unroll 16
  for (int64_t i = 0; i < Rows; ++i) left[i] = Set(d, x[i]);
  int64_t j = 0;
  for (; j + kLanes<T> <= columns; j += kLanes<T>) {
    const V across = LoadU(d, right + j);
#pragma GCC unroll 16
    for (int64_t i = 0; i < Rows; ++i) w[i] = LoadU(d, from + i * columns + j);
    StoreU(add_products<Rows>(first ? Zero(d) : LoadU(d, y + j), w, left), d, y + j);
#pragma GCC unroll 16
    for (int64_t i = 0; i < Rows; ++i) {
      StoreU(moved(d, left[i], across, factor, w[i], from_zero), d, to + i * columns + j);
    }
  }
  if (j == columns) return;
  const size_t rest = static_cast<size_t>(columns - j);
  const V across = load_partial(d, right + j, rest);
#pragma GCC unroll 16
  for (int64_t i = 0; i < Rows; ++i) w[i] = load_partial(d, from + i * columns + j, rest);
  const V start = first ? Zero(d) : load_partial(d, y + j, rest);
  store_partial(d, add_products<Rows>(start, w, left), y + j, rest);
#pragma GCC unroll 16
  for (int64_t i = 0; i < Rows; ++i) {
    store_partial(d, moved(d, left[i], across, factor, w[i], from_zero), to + i * columns + j, rest);
  }
}

// In the order of add_rows: by kRowsAtOnce, by eights, by fours, one by one.
template <class T>
HWY_INLINE HWY_ATTR void add_and_move(const void* source, int64_t rows, int64_t columns, const void* left,
                                      void* sums, const void* across, const void* by, bool from_zero,
                                      void* target) {
  const T *x = static_cast<const T*>(left), *right = static_cast<const T*>(across),
          *from = static_cast<const T*>(source);
  const T factor = *static_cast<const T*>(by);
  T *y = static_cast<T*>(sums), *to = static_cast<T*>(target);
  int64_t r = 0;
  for (; r + kRowsAtOnce <= rows; r += kRowsAtOnce) {
    add_and_move_rows<kRowsAtOnce>(x + r, right, factor, from_zero, r == 0, columns, from + r * columns, y,
                                   to + r * columns);
  }
  for (; r + 8 <= rows; r += 8) {
    add_and_move_rows<8>(x + r, right, factor, from_zero, r == 0, columns, from + r * columns, y,
                         to + r * columns);
  }
  for (; r + 4 <= rows; r += 4) {
    add_and_move_rows<4>(x + r, right, factor, from_zero, r == 0, columns, from + r * columns, y,
                         to + r * columns);
  }
  for (; r < rows; ++r) {
    add_and_move_rows<1>(x + r, right, factor, from_zero, r == 0, columns, from + r * columns, y,
                         to + r * columns);
  }
}

// Functions by type, for the tables.
HWY_ATTR void add_and_move_float(const void* from, int64_t rows, int64_t columns, const void* left, void* y,
                                 const void* right, const void* by, bool from_zero, void* to) {
  add_and_move<float>(from, rows, columns, left, y, right, by, from_zero, to);
}
HWY_ATTR void add_and_move_double(const void* from, int64_t rows, int64_t columns, const void* left, void* y,
                                  const void* right, const void* by, bool from_zero, void* to) {
  add_and_move<double>(from, rows, columns, left, y, right, by, from_zero, to);
}
HWY_ATTR void outer_float(const void* x, const void* y, const void* bias, int64_t columns, void* c,
                          int64_t begin, int64_t end) {
  outer<float>(x, y, bias, columns, c, begin, end);
}
HWY_ATTR void outer_double(const void* x, const void* y, const void* bias, int64_t columns, void* c,
                           int64_t begin, int64_t end) {
  outer<double>(x, y, bias, columns, c, begin, end);
}
HWY_ATTR void move_float(const void* x, const void* y, const void* by, bool from_zero, int64_t columns,
                         const void* from, void* to, int64_t begin, int64_t end, int64_t readable) {
  move<float>(x, y, by, from_zero, columns, from, to, begin, end, readable);
}
HWY_ATTR void move_double(const void* x, const void* y, const void* by, bool from_zero, int64_t columns,
                          const void* from, void* to, int64_t begin, int64_t end, int64_t readable) {
  move<double>(x, y, by, from_zero, columns, from, to, begin, end, readable);
}

}  // namespace
}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tapegrad::kernels {

HWY_EXPORT(outer_float);
HWY_EXPORT(outer_double);
HWY_EXPORT(move_float);
HWY_EXPORT(move_double);
HWY_EXPORT(add_and_move_float);
HWY_EXPORT(add_and_move_double);

void outer_product(DType dtype, const void* x, const void* y, const void* bias, int64_t columns, void* c,
                   int64_t begin, int64_t end) {
  const auto* table =
      dtype == DType::float32 ? HWY_DISPATCH_TABLE(outer_float) : HWY_DISPATCH_TABLE(outer_double);
  target(table)(x, y, bias, columns, c, begin, end);
}

void move_along_outer(DType dtype, const void* x, const void* y, const void* factor, bool from_zero,
                      int64_t columns, const void* from, void* to, int64_t begin, int64_t end,
                      int64_t readable) {
  const auto* table =
      dtype == DType::float32 ? HWY_DISPATCH_TABLE(move_float) : HWY_DISPATCH_TABLE(move_double);
  target(table)(x, y, factor, from_zero, columns, from, to, begin, end, readable);
}

void add_rows_and_move(DType dtype, const void* from, int64_t rows, int64_t columns, const void* left,
                       void* y, const void* right, const void* factor, bool from_zero, void* to) {
  const auto* table = dtype == DType::float32 ? HWY_DISPATCH_TABLE(add_and_move_float)
                                              : HWY_DISPATCH_TABLE(add_and_move_double);
  target(table)(from, rows, columns, left, y, right, factor, from_zero, to);
}

}  // namespace tapegrad::kernels

#endif
