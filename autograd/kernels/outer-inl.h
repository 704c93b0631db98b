// The step of a matrix along an outer product. Included once per target.

#include <algorithm>
#include <utility>

#include "autograd/kernels/chains-inl.h"
#include "autograd/kernels/partial-inl.h"

#if defined(TAPEGRAD_KERNELS_OUTER_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_OUTER_INL_H
#undef TAPEGRAD_KERNELS_OUTER_INL_H
#else
#define TAPEGRAD_KERNELS_OUTER_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

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
  const RowTag<T> d;
  using V = Vec<RowTag<T>>;
  const V factor = Set(d, by);
  V left[Rows];
#pragma GCC unroll 8
  for (int64_t i = 0; i < Rows; ++i) left[i] = Set(d, x[i]);
  int64_t j = 0;
  for (; j + kRowLanes<T> <= columns; j += kRowLanes<T>) {
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
  const RowTag<T> d;
  const RebindToSigned<RowTag<T>> di;
  using V = Vec<RowTag<T>>;
  // Which row and column a lane is in; the half keeps the quotient of whole numbers off its steps.
  const V lane = Iota(d, T{0});
  const auto row = ConvertTo(di, Mul(Add(lane, Set(d, T{0.5})), Set(d, T{1} / static_cast<T>(columns))));
  const auto column = ConvertTo(di, Sub(lane, Mul(ConvertTo(d, row), Set(d, static_cast<T>(columns)))));
  const auto rows = IndicesFromVec(d, row), across = IndicesFromVec(d, column);
  const V factor = Set(d, by);
  const V right = TableLookupLanes(load_partial(d, y, static_cast<size_t>(columns)), across);
  const int64_t at_once = kRowLanes<T> / columns;
  int64_t r = begin;
  // Where a vector of rows is as many whole vectors.
  for (; at_once * columns == kRowLanes<T> && r + kRowLanes<T> <= end; r += kRowLanes<T>) {
    const V some = LoadU(d, x + r);
    for (int64_t part = 0; part < columns; ++part) {
      const auto of = Add(row, Set(di, static_cast<TFromD<decltype(di)>>(part * at_once)));
      const int64_t at = r * columns + part * kRowLanes<T>;
      const V left = TableLookupLanes(some, IndicesFromVec(d, of));
      StoreU(moved(d, left, right, factor, LoadU(d, from + at), from_zero), d, to + at);
    }
  }
  for (; r < end; r += at_once) {
    const int64_t count = std::min(at_once, end - r), elements = count * columns, at = r * columns;
    const V some =
        count < kRowLanes<T> ? load_partial(d, x + r, static_cast<size_t>(count)) : LoadU(d, x + r);
    const V left = TableLookupLanes(some, rows);
    if (at + kRowLanes<T> <= readable) {
      const V w = LoadU(d, from + at), v = moved(d, left, right, factor, w, from_zero);
      if (elements == kRowLanes<T>) {
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
  if (columns < kRowLanes<T>) {
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
  const RowTag<T> d;
  using V = Vec<RowTag<T>>;
  const V factor = Set(d, by);
  V left[Rows], w[Rows];
#pragma GCC unroll 16
  for (int64_t i = 0; i < Rows; ++i) left[i] = Set(d, x[i]);
  int64_t j = 0;
  for (; j + kRowLanes<T> <= columns; j += kRowLanes<T>) {
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

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
