#include "autograd/kernels/column_sums.h"

#include <algorithm>

#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/parallel.h"
#include "autograd/kernels/simd_targets.h"

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/column_sums.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {
namespace {

using D = CappedTag<double, 8>;
using V = Vec<D>;
constexpr int64_t kLanes = static_cast<int64_t>(MaxLanes(D()));

HWY_INLINE HWY_ATTR V load_wide(const double* p) { return LoadU(D(), p); }
HWY_INLINE HWY_ATTR V load_wide(const float* p) { return PromoteTo(D(), LoadU(Rebind<float, D>(), p)); }
HWY_INLINE HWY_ATTR void store_narrow(V v, double* p) { StoreU(v, D(), p); }
HWY_INLINE HWY_ATTR void store_narrow(V v, float* p) {
  const Rebind<float, D> d;
  StoreU(DemoteTo(d, v), d, p);
}

// The sum of `count` vectors `step` elements apart.
template <class T>
HWY_INLINE HWY_ATTR V sum_of_vectors(const T* x, int64_t count, int64_t step) {
  V a = Zero(D()), b = a, c = a, e = a;
  int64_t r = 0;
  for (; r + 4 <= count; r += 4, x += 4 * step) {
    a = Add(a, load_wide(x));
    b = Add(b, load_wide(x + step));
    c = Add(c, load_wide(x + 2 * step));
    e = Add(e, load_wide(x + 3 * step));
  }
  for (; r < count; ++r, x += step) a = Add(a, load_wide(x));
  return Add(Add(a, b), Add(c, e));
}

// The same of single elements.
template <class T>
HWY_INLINE HWY_ATTR double sum_of_elements(const T* x, int64_t count, int64_t step) {
  double a = 0, b = 0, c = 0, e = 0;
  int64_t r = 0;
  for (; r + 4 <= count; r += 4, x += 4 * step) {
    a += static_cast<double>(x[0]);
    b += static_cast<double>(x[step]);
    c += static_cast<double>(x[2 * step]);
    e += static_cast<double>(x[3 * step]);
  }
  for (; r < count; ++r, x += step) a += static_cast<double>(x[0]);
  return (a + b) + (c + e);
}

// The columns [begin, end); begin is a multiple of kLanes.
template <class T>
HWY_INLINE HWY_ATTR void strip(const void* from, int64_t rows, int64_t columns, int64_t begin, int64_t end,
                               void* to) {
  const T* x = static_cast<const T*>(from);
  T* y = static_cast<T*>(to);
  if (columns == 1) {  // side by side in memory
    const int64_t whole = rows / kLanes * kLanes;
    HWY_ALIGN double lanes[kLanes];
    Store(sum_of_vectors(x, whole / kLanes, kLanes), D(), lanes);
    y[0] = static_cast<T>(sum_of_elements(lanes, kLanes, 1) + sum_of_elements(x + whole, rows - whole, 1));
    return;
  }
  int64_t j = begin;
  for (; j + kLanes <= end; j += kLanes) store_narrow(sum_of_vectors(x + j, rows, columns), y + j);
  for (; j < end; ++j) y[j] = static_cast<T>(sum_of_elements(x + j, rows, columns));
}

HWY_ATTR void columns_float(const void* x, int64_t rows, int64_t columns, int64_t begin, int64_t end,
                            void* y) {
  strip<float>(x, rows, columns, begin, end, y);
}
HWY_ATTR void columns_double(const void* x, int64_t rows, int64_t columns, int64_t begin, int64_t end,
                             void* y) {
  strip<double>(x, rows, columns, begin, end, y);
}

}  // namespace
}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tapegrad::kernels {

HWY_EXPORT(columns_float);
HWY_EXPORT(columns_double);

void column_sums(DType dtype, const void* x, int64_t rows, int64_t columns, void* y) {
  constexpr int64_t kStrip = 64;
  constexpr int64_t kPiece = int64_t{1} << 17;  // elements that are worth another thread
  const auto* table =
      dtype == DType::float32 ? HWY_DISPATCH_TABLE(columns_float) : HWY_DISPATCH_TABLE(columns_double);
  const auto run = target(table);
  if (rows * columns < 2 * kPiece) return run(x, rows, columns, 0, columns, y);
  const int64_t strips = (columns + kStrip - 1) / kStrip;
  parallel_for(strips, std::max<int64_t>(1, kPiece / (rows * kStrip)), [&](int64_t begin, int64_t end) {
    run(x, rows, columns, begin * kStrip, std::min(columns, end * kStrip), y);
  });
}

}  // namespace tapegrad::kernels

#endif
