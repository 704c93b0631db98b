#include "autograd/kernels/rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/parallel.h"
#include "autograd/kernels/simd_targets.h"

#ifndef TAPEGRAD_KERNELS_ROWS_TABLE
#define TAPEGRAD_KERNELS_ROWS_TABLE
namespace tapegrad::kernels {
// The kernels of one row, for one element type and target.
template <class T>
struct RowKernels {
  void (*softmax)(const T* x, T* y, int64_t n);
  void (*log_softmax)(const T* x, T* y, int64_t n);
  void (*softmax_backward)(const T* g, const T* y, T* dx, int64_t n);
  void (*log_softmax_backward)(const T* g, const T* y, T* dx, int64_t n);
  LogSum (*log_sum_exp)(const T* x, int64_t n);
  T (*cross_entropy)(const T* x, int64_t target, int64_t n);
  void (*cross_entropy_backward)(const T* x, int64_t target, T scale, T* dx, int64_t n);
};
}  // namespace tapegrad::kernels
#endif

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/rows.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {
namespace {

template <class T>
HWY_ATTR void softmax_row(const T* x, T* y, int64_t n) {
  const RowTag<T> d;
  const auto sum = Set(d, static_cast<T>(row_exp<true>(x, row_largest(x, n), y, n)));
  const auto inverse = Div(Set(d, T{1}), sum);
  row_map(y, n, [&](auto load) HWY_ATTR { return divided(load(y), sum, inverse); });
}

template <class T>
HWY_ATTR void log_softmax_row(const T* x, T* y, int64_t n) {
  const RowTag<T> d;
  const T largest = row_largest(x, n);
  const auto shift = Set(d, largest);
  const auto log_sum =
      Set(d, static_cast<T>(std::log(row_exp<false>(x, largest, static_cast<T*>(nullptr), n))));
  row_map(y, n, [&](auto load) HWY_ATTR { return Sub(Sub(load(x), shift), log_sum); });
}

template <class T>
HWY_ATTR void softmax_backward_row(const T* g, const T* y, T* dx, int64_t n) {
  const RowTag<T> d;
  const auto pull = Set(d, static_cast<T>(row_product(g, y, n)));
  row_map(dx, n, [&](auto load) HWY_ATTR { return Mul(load(y), Sub(load(g), pull)); });
}

template <class T>
HWY_ATTR void log_softmax_backward_row(const T* g, const T* y, T* dx, int64_t n) {
  const RowTag<T> d;
  const auto sum = Set(d, static_cast<T>(row_sum(g, n)));
  row_map(dx, n, [&](auto load) HWY_ATTR { return Sub(load(g), Mul(exp(d, load(y)), sum)); });
}

template <class T>
HWY_ATTR LogSum log_sum_exp_row(const T* x, int64_t n) {
  const T largest = row_largest(x, n);
  return {static_cast<double>(largest), std::log(row_exp<false>(x, largest, static_cast<T*>(nullptr), n))};
}

template <class T>
HWY_ATTR T cross_entropy_row(const T* x, int64_t target, int64_t n) {
  const T largest = row_largest(x, n);
  const double log_sum = std::log(row_exp<false>(x, largest, static_cast<T*>(nullptr), n));
  return static_cast<T>(log_sum - (static_cast<double>(x[target]) - static_cast<double>(largest)));
}

template <class T>
HWY_ATTR void cross_entropy_backward_row(const T* x, int64_t target, T scale, T* dx, int64_t n) {
  const RowTag<T> d;
  const auto sum = Set(d, static_cast<T>(row_exp<true>(x, row_largest(x, n), dx, n)));
  const auto inverse = Div(Set(d, T{1}), sum), by = Set(d, scale);
  // The target's entry is 1 less, before it is scaled.
  const T at_target = (dx[target] / GetLane(sum) - T{1}) * scale;
  row_map(dx, n, [&](auto load) HWY_ATTR { return Mul(divided(load(dx), sum, inverse), by); });
  dx[target] = at_target;
}

template <class T>
constexpr RowKernels<T> kKernels = {
    &softmax_row<T>,     &log_softmax_row<T>,   &softmax_backward_row<T>,      &log_softmax_backward_row<T>,
    &log_sum_exp_row<T>, &cross_entropy_row<T>, &cross_entropy_backward_row<T>};

}  // namespace

const RowKernels<float>* rows_float() { return &kKernels<float>; }
const RowKernels<double>* rows_double() { return &kKernels<double>; }

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tapegrad::kernels {

HWY_EXPORT(rows_float);
HWY_EXPORT(rows_double);

namespace {

constexpr int64_t kGrainElements = 16384;

template <class T>
const RowKernels<T>& row_kernels() {
  if constexpr (sizeof(T) == 4) return *target(HWY_DISPATCH_TABLE(rows_float))();
  else return *target(HWY_DISPATCH_TABLE(rows_double))();
}

template <class Body>
void for_rows(int64_t rows, int64_t n, Body body) {
  parallel_for(rows, std::max<int64_t>(1, kGrainElements / n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) body(r);
  });
}

// Calls body(T{}) for the dtype.
template <class Body>
void with_type(DType dtype, Body body) {
  dtype == DType::float32 ? body(float{}) : body(double{});
}

// The n entries of a row that lie `step` apart.
template <class T>
struct Spread {
  T* p;
  int64_t step;
  T& operator[](int64_t i) const { return p[i * step]; }
};

template <class T>
double spread_largest(Spread<const T> x, int64_t n) {
  double largest = -std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < n; ++i) {
    const auto v = static_cast<double>(x[i]);
    if (v > largest || v != v) largest = v;
  }
  return largest;
}

// The plain form, for rows that are not dense.
template <class T>
void softmax_spread(Spread<const T> x, Spread<T> y, int64_t n, bool logarithm) {
  const double largest = spread_largest(x, n);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += std::exp(static_cast<double>(x[i]) - largest);
  for (int64_t i = 0; i < n; ++i) {
    const double at = static_cast<double>(x[i]) - largest;
    y[i] = static_cast<T>(logarithm ? at - std::log(sum) : std::exp(at) / sum);
  }
}

template <class T>
void softmax_backward_spread(Spread<const T> g, Spread<const T> y, Spread<T> dx, int64_t n, bool logarithm) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i)
    sum += static_cast<double>(g[i]) * (logarithm ? 1.0 : static_cast<double>(y[i]));
  for (int64_t i = 0; i < n; ++i) {
    const auto gi = static_cast<double>(g[i]);
    const auto yi = static_cast<double>(y[i]);
    dx[i] = static_cast<T>(logarithm ? gi - std::exp(yi) * sum : yi * (gi - sum));
  }
}

void any_softmax(DType dtype, const void* x, void* y, int64_t outer, int64_t n, int64_t inner,
                 bool logarithm) {
  if (n == 0) return;
  with_type(dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto* from = static_cast<const T*>(x);
    auto* to = static_cast<T*>(y);
    const auto row = logarithm ? row_kernels<T>().log_softmax : row_kernels<T>().softmax;
    for_rows(outer * inner, n, [&](int64_t r) {
      if (inner == 1) return row(from + r * n, to + r * n, n);
      const int64_t at = r / inner * n * inner + r % inner;
      softmax_spread<T>({from + at, inner}, {to + at, inner}, n, logarithm);
    });
  });
}

void any_softmax_backward(DType dtype, const void* g, const void* y, void* dx, int64_t outer, int64_t n,
                          int64_t inner, bool logarithm) {
  if (n == 0) return;
  with_type(dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto* a = static_cast<const T*>(g);
    const auto* b = static_cast<const T*>(y);
    auto* to = static_cast<T*>(dx);
    const auto row = logarithm ? row_kernels<T>().log_softmax_backward : row_kernels<T>().softmax_backward;
    for_rows(outer * inner, n, [&](int64_t r) {
      if (inner == 1) return row(a + r * n, b + r * n, to + r * n, n);
      const int64_t at = r / inner * n * inner + r % inner;
      softmax_backward_spread<T>({a + at, inner}, {b + at, inner}, {to + at, inner}, n, logarithm);
    });
  });
}

}  // namespace

void softmax(DType dtype, const void* x, void* y, int64_t outer, int64_t n, int64_t inner) {
  any_softmax(dtype, x, y, outer, n, inner, false);
}
void log_softmax(DType dtype, const void* x, void* y, int64_t outer, int64_t n, int64_t inner) {
  any_softmax(dtype, x, y, outer, n, inner, true);
}
void softmax_backward(DType dtype, const void* g, const void* y, void* dx, int64_t outer, int64_t n,
                      int64_t inner) {
  any_softmax_backward(dtype, g, y, dx, outer, n, inner, false);
}
void log_softmax_backward(DType dtype, const void* g, const void* y, void* dx, int64_t outer, int64_t n,
                          int64_t inner) {
  any_softmax_backward(dtype, g, y, dx, outer, n, inner, true);
}

LogSum row_log_sum_exp(DType dtype, const void* x, int64_t n) {
  if (dtype == DType::float32) return row_kernels<float>().log_sum_exp(static_cast<const float*>(x), n);
  return row_kernels<double>().log_sum_exp(static_cast<const double*>(x), n);
}

void cross_entropy_rows(DType dtype, const void* logits, const int64_t* target, int64_t ignore_index,
                        void* loss, int64_t rows, int64_t classes) {
  with_type(dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto* x = static_cast<const T*>(logits);
    auto* to = static_cast<T*>(loss);
    const auto row = row_kernels<T>().cross_entropy;
    for_rows(rows, std::max<int64_t>(1, classes), [&](int64_t r) {
      to[r] = target[r] == ignore_index ? T{0} : row(x + r * classes, target[r], classes);
    });
  });
}

void cross_entropy_rows_backward(DType dtype, const void* logits, const int64_t* target, int64_t ignore_index,
                                 const void* scale, int64_t step, void* dx, int64_t rows, int64_t classes) {
  with_type(dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto* x = static_cast<const T*>(logits);
    const auto* by = static_cast<const T*>(scale);
    auto* to = static_cast<T*>(dx);
    const auto row = row_kernels<T>().cross_entropy_backward;
    for_rows(rows, std::max<int64_t>(1, classes), [&](int64_t r) {
      if (target[r] == ignore_index) std::fill(to + r * classes, to + (r + 1) * classes, T{0});
      else row(x + r * classes, target[r], by[r * step], to + r * classes, classes);
    });
  });
}

}  // namespace tapegrad::kernels

#endif
