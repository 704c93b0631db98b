#include "autograd/kernels/center.h"

#include <algorithm>

#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/parallel.h"
#include "autograd/kernels/simd_targets.h"

#ifndef TAPEGRAD_KERNELS_CENTER_TABLE
#define TAPEGRAD_KERNELS_CENTER_TABLE
namespace tapegrad::kernels {
template <class T>
struct CenterKernels {
  void (*row)(const T* x, T scale, T* y, int64_t n);
  // columns ≤ kColumns, the rows `stride` apart.
  void (*columns)(const T* x, const T* scale, T* y, int64_t n, int64_t columns, int64_t stride);
};
}  // namespace tapegrad::kernels
#endif

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/center.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {
namespace {

template <class T>
HWY_ATTR void center_row(const T* x, T scale, T* y, int64_t n) {
  const RowTag<T> d;
  const auto count = static_cast<double>(n);
  const T about = static_cast<T>(row_sum(x, n) / count);
  const auto near_mean = Set(d, about);
  // What the first mean is off by is taken away on its own: added to the mean it would be rounded away.
  const double off = row_sum_of(x, n, [&](auto v) HWY_ATTR { return Sub(v, near_mean); }) / count;
  const auto rest = Set(d, static_cast<T>(off));
  const auto by = Set(d, scale);
  row_map(y, n, [&](auto load) HWY_ATTR { return Mul(by, Sub(Sub(load(x), near_mean), rest)); });
}

template <class T>
HWY_ATTR void center_columns(const T* x, const T* scale, T* y, int64_t n, int64_t columns, int64_t stride) {
  const RowTag<T> d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  double total[kColumns];
  ColumnNumbers<T> mean, rest, sum;
  std::fill(mean.v, mean.v + kColumns, T{0});
  std::fill(rest.v, rest.v + kColumns, T{0});
  for (int pass = 0; pass < 2; ++pass) {
    std::fill(total, total + columns, 0.0);
    for (int64_t i = 0; i < n; i += kMostRows) {
      column_sums_of<false>(
          x + i * stride, std::min(kMostRows, n - i), columns, stride,
          [&](auto v, int64_t c) HWY_ATTR {
            const auto off = Sub(v, Load(d, mean.v + c));
            return Two<decltype(v)>{off, off};
          },
          &sum, &sum);
      for (int64_t c = 0; c < columns; ++c) total[c] += static_cast<double>(sum.v[c]);
    }
    // First the mean, then what it is off by.
    T* const to = pass == 0 ? mean.v : rest.v;
    for (int64_t c = 0; c < columns; ++c) to[c] = static_cast<T>(total[c] / static_cast<double>(n));
  }
  for (int64_t i = 0; i < n; ++i) {
    const T* from = x + i * stride;
    T* to = y + i * stride;
    int64_t c = 0;
    for (; c + lanes <= columns; c += lanes) {
      const auto off = Sub(Sub(LoadU(d, from + c), Load(d, mean.v + c)), Load(d, rest.v + c));
      StoreU(Mul(LoadU(d, scale + c), off), d, to + c);
    }
    for (; c < columns; ++c) to[c] = scale[c] * (from[c] - mean.v[c] - rest.v[c]);
  }
}

template <class T>
constexpr CenterKernels<T> kKernels = {&center_row<T>, &center_columns<T>};

}  // namespace

const CenterKernels<float>* center_float() { return &kKernels<float>; }
const CenterKernels<double>* center_double() { return &kKernels<double>; }

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tapegrad::kernels {

HWY_EXPORT(center_float);
HWY_EXPORT(center_double);

namespace {

constexpr int64_t kGrainElements = 16384;

template <class T>
void center(const CenterKernels<T>& kernels, const T* g, const T* x, double factor, T* y, int64_t outer,
            int64_t n, int64_t inner) {
  const int64_t width = std::min(inner, kColumns);
  const int64_t strips = (inner + kColumns - 1) / kColumns;
  const int64_t grain = std::max<int64_t>(1, kGrainElements / (n * width));
  parallel_for(outer * strips, grain, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t o = task / strips, c = task % strips * kColumns;
      const int64_t columns = std::min(kColumns, inner - c);
      const T* from = x + o * n * inner + c;
      T* to = y + o * n * inner + c;
      T scale[kColumns];
      for (int64_t i = 0; i < columns; ++i) {
        const T at = g[o * inner + c + i];
        scale[i] = at == 0 ? T{0} : static_cast<T>(static_cast<double>(at) * factor);
      }
      inner == 1 ? kernels.row(from, scale[0], to, n) : kernels.columns(from, scale, to, n, columns, inner);
      for (int64_t i = 0; i < columns; ++i) {
        if (g[o * inner + c + i] != 0) continue;
        for (int64_t r = 0; r < n; ++r) to[r * inner + i] = 0;
      }
    }
  });
}

}  // namespace

void scaled_offsets(DType dtype, const void* g, const void* x, double factor, void* y, int64_t outer,
                    int64_t n, int64_t inner) {
  if (dtype == DType::float32) {
    center(*target(HWY_DISPATCH_TABLE(center_float))(), static_cast<const float*>(g),
           static_cast<const float*>(x), factor, static_cast<float*>(y), outer, n, inner);
  } else {
    center(*target(HWY_DISPATCH_TABLE(center_double))(), static_cast<const double*>(g),
           static_cast<const double*>(x), factor, static_cast<double*>(y), outer, n, inner);
  }
}

}  // namespace tapegrad::kernels

#endif
