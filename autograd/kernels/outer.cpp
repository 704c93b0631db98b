// Outer products, and the step of a matrix along one.

#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/gemm_small.h"
#include "autograd/kernels/simd_targets.h"

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/outer.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/outer-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {
namespace {

template <class T>
HWY_INLINE HWY_ATTR void outer(const void* left, const void* right, const void* offset, int64_t columns,
                               void* result, int64_t begin, int64_t end) {
  const RowTag<T> d;
  using V = Vec<RowTag<T>>;
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
