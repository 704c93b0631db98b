// What each part of a reduction contributes, on vector lanes.

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/reduce_parts.h"
#include "autograd/kernels/simd_targets.h"

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/reduce_lanes.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/log-inl.h"
#include "autograd/kernels/sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {
namespace {

template <class T>
HWY_ATTR Part sum(const T* x, int64_t n, double) {
  return {row_sum(x, n), 0, 0};
}

template <class T>
HWY_ATTR void sums(const T* x, int64_t n, int64_t columns, int64_t stride, double, Part* out) {
  ColumnNumbers<T> a;
  column_sums_of<false>(
      x, n, columns, stride,
      [](auto v, int64_t) HWY_ATTR {
        return Two<decltype(v)>{v, v};
      },
      &a, &a);
  for (int64_t c = 0; c < columns; ++c) out[c] = {static_cast<double>(a.v[c]), 0, 0};
}

template <int Sign, bool Absolute, class T>
HWY_ATTR Part extreme(const T* x, int64_t n, double) {
  return {static_cast<double>(row_extreme_of<Sign, Absolute>(x, n)), 0, 0};
}

template <int Sign, bool Absolute, class T>
HWY_ATTR void extremes(const T* x, int64_t n, int64_t columns, int64_t stride, double, Part* out) {
  ColumnNumbers<T> a;
  column_extremes_of<Sign, Absolute>(x, n, columns, stride, &a);
  for (int64_t c = 0; c < columns; ++c) out[c] = {static_cast<double>(a.v[c]), 0, 0};
}

using WideTag = CappedTag<double, 8>;

HWY_INLINE HWY_ATTR Vec<WideTag> load_wide(const double* p) { return LoadU(WideTag(), p); }
HWY_INLINE HWY_ATTR Vec<WideTag> load_wide(const float* p) {
  const Rebind<float, WideTag> narrow;
  return PromoteTo(WideTag(), LoadU(narrow, p));
}

template <class T>
HWY_ATTR Part product(const T* x, int64_t n, double) {
  const WideTag d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  auto a = Set(d, 1.0), b = a, c = a, e = a;
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    a = Mul(a, load_wide(x + i));
    b = Mul(b, load_wide(x + i + lanes));
    c = Mul(c, load_wide(x + i + 2 * lanes));
    e = Mul(e, load_wide(x + i + 3 * lanes));
  }
  HWY_ALIGN double lane[MaxLanes(d)];
  Store(Mul(Mul(a, b), Mul(c, e)), d, lane);
  double all = 1;
  for (int64_t k = 0; k < lanes; ++k) all *= lane[k];
  for (; i < n; ++i) all *= static_cast<double>(x[i]);
  return {all, 0, 0};
}

template <class T>
HWY_ATTR void products(const T* x, int64_t n, int64_t columns, int64_t stride, double, Part* out) {
  const WideTag d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  int64_t c = 0;
  for (; c + lanes <= columns; c += lanes) {
    auto a = Set(d, 1.0), b = a;
    int64_t i = 0;
    for (; i + 2 <= n; i += 2) {
      a = Mul(a, load_wide(x + i * stride + c));
      b = Mul(b, load_wide(x + (i + 1) * stride + c));
    }
    if (i < n) a = Mul(a, load_wide(x + i * stride + c));
    HWY_ALIGN double lane[MaxLanes(d)];
    Store(Mul(a, b), d, lane);
    for (int64_t k = 0; k < lanes; ++k) out[c + k] = {lane[k], 0, 0};
  }
  for (; c < columns; ++c) {
    double all = 1;
    for (int64_t i = 0; i < n; ++i) all *= static_cast<double>(x[i * stride + c]);
    out[c] = {all, 0, 0};
  }
}

// e^(v − largest) and 0, or 0 and 1 for one that is the largest.
template <class D, class V>
HWY_INLINE HWY_ATTR Two<V> below_and_ties(D d, V v, V largest) {
  const auto tie = Eq(v, largest);
  return {IfThenZeroElse(tie, exp(d, Sub(v, largest))), IfThenElseZero(tie, Set(d, TFromD<D>{1}))};
}

template <class T>
HWY_ATTR Part log_sum_exp(const T* x, int64_t n, double) {
  const RowTag<T> d;
  const T largest = row_extreme_of<1, false>(x, n);
  if (!std::isfinite(largest)) return {static_cast<double>(largest), 1, 0};
  const auto top = Set(d, largest);
  Part part{static_cast<double>(largest), 0, 0};
  row_sum_two(
      x, n, [&](auto v) HWY_ATTR { return below_and_ties(d, v, top); }, &part.c, &part.b);
  return part;
}

template <class T>
HWY_ATTR void log_sums_exp(const T* x, int64_t n, int64_t columns, int64_t stride, double, Part* out) {
  const RowTag<T> d;
  ColumnNumbers<T> largest, below, ties;
  column_extremes_of<1, false>(x, n, columns, stride, &largest);
  column_sums_of<true>(
      x, n, columns, stride,
      [&](auto v, int64_t c) HWY_ATTR { return below_and_ties(d, v, Load(d, largest.v + c)); }, &below,
      &ties);
  for (int64_t c = 0; c < columns; ++c) {
    const bool finite = std::isfinite(largest.v[c]);
    out[c] = {static_cast<double>(largest.v[c]), finite ? static_cast<double>(ties.v[c]) : 1,
              finite ? static_cast<double>(below.v[c]) : 0};
  }
}

// From the sums of x − about and of its square.
Part moments_of(double about, double sum, double squares, int64_t n) {
  const auto count = static_cast<double>(n);
  return {about + sum / count, std::max(0.0, squares - sum * sum / count), count};
}

template <class T>
HWY_ATTR Part moments(const T* x, int64_t n, double) {
  const T about = static_cast<T>(row_sum(x, n) / static_cast<double>(n));
  const auto centre = Set(RowTag<T>(), about);
  double sum = 0, squares = 0;
  row_sum_two(
      x, n,
      [&](auto v) HWY_ATTR {
        const auto off = Sub(v, centre);
        return Two<decltype(v)>{off, Mul(off, off)};
      },
      &sum, &squares);
  if (squares != squares) return {static_cast<double>(about), squares, static_cast<double>(n)};
  return moments_of(static_cast<double>(about), sum, squares, n);
}

template <class T>
HWY_ATTR void moments_of_columns(const T* x, int64_t n, int64_t columns, int64_t stride, double, Part* out) {
  const RowTag<T> d;
  ColumnNumbers<T> about, sum, squares;
  column_sums_of<false>(
      x, n, columns, stride,
      [](auto v, int64_t) HWY_ATTR {
        return Two<decltype(v)>{v, v};
      },
      &about, &about);
  for (int64_t c = 0; c < columns; ++c) about.v[c] /= static_cast<T>(n);
  column_sums_of<true>(
      x, n, columns, stride,
      [&](auto v, int64_t c) HWY_ATTR {
        const auto off = Sub(v, Load(d, about.v + c));
        return Two<decltype(v)>{off, Mul(off, off)};
      },
      &sum, &squares);
  for (int64_t c = 0; c < columns; ++c) {
    const auto a = static_cast<double>(about.v[c]), q = static_cast<double>(squares.v[c]);
    out[c] = q != q ? Part{a, q, static_cast<double>(n)} : moments_of(a, static_cast<double>(sum.v[c]), q, n);
  }
}

template <class D, class V>
HWY_INLINE HWY_ATTR V not_zero(D d, V v) {
  return IfThenZeroElse(Eq(v, Zero(d)), Set(d, TFromD<D>{1}));
}

template <class T>
HWY_ATTR Part nonzeros(const T* x, int64_t n, double) {
  const RowTag<T> d;
  return {row_sum_of(x, n, [&](auto v) HWY_ATTR { return not_zero(d, v); }), 0, 0};
}

template <class T>
HWY_ATTR void nonzeros_of_columns(const T* x, int64_t n, int64_t columns, int64_t stride, double, Part* out) {
  const RowTag<T> d;
  ColumnNumbers<T> a;
  column_sums_of<false>(
      x, n, columns, stride,
      [&](auto v, int64_t) HWY_ATTR {
        const auto one = not_zero(d, v);
        return Two<decltype(v)>{one, one};
      },
      &a, &a);
  for (int64_t c = 0; c < columns; ++c) out[c] = {static_cast<double>(a.v[c]), 0, 0};
}

template <class T>
HWY_ATTR Part sum_abs(const T* x, int64_t n, double) {
  return {row_sum_of(x, n, [](auto v) HWY_ATTR { return Abs(v); }), 0, 0};
}

template <class T>
HWY_ATTR void sums_abs(const T* x, int64_t n, int64_t columns, int64_t stride, double, Part* out) {
  ColumnNumbers<T> a;
  column_sums_of<false>(
      x, n, columns, stride,
      [](auto v, int64_t) HWY_ATTR {
        return Two<decltype(v)>{Abs(v), v};
      },
      &a, &a);
  for (int64_t c = 0; c < columns; ++c) out[c] = {static_cast<double>(a.v[c]), 0, 0};
}

// Whether a sum of squares was neither cut off below nor above.
template <class T>
bool within_range(double sum) {
  using Limits = std::numeric_limits<T>;
  constexpr double kLow = static_cast<double>(Limits::min()) / Limits::epsilon();
  return sum >= kLow && sum <= static_cast<double>(Limits::max());
}

// A power of two that brings numbers up to `largest` near 1, whose reciprocal is exact too.
template <class T>
T scale_of(T largest) {
  constexpr int kMost = sizeof(T) == 4 ? 100 : 960;
  return std::ldexp(T{1}, std::clamp(-std::ilogb(largest), -kMost, kMost));
}

template <class T>
HWY_ATTR Part squares(const T* x, int64_t n, double) {
  const RowTag<T> d;
  const double plain = row_sum_of(x, n, [](auto v) HWY_ATTR { return Mul(v, v); });
  if (HWY_LIKELY(within_range<T>(plain))) return {plain, 1, 0};
  const T largest = row_extreme_of<1, true>(x, n);
  if (largest == 0 || !std::isfinite(largest)) return {static_cast<double>(largest), 1, 0};
  const T scale = scale_of(largest);
  const auto by = Set(d, scale);
  const double scaled = row_sum_of(x, n, [&](auto v) HWY_ATTR {
    const auto s = Mul(v, by);
    return Mul(s, s);
  });
  return {scaled, 1 / static_cast<double>(scale), 0};
}

template <class T>
HWY_ATTR void squares_of_columns(const T* x, int64_t n, int64_t columns, int64_t stride, double, Part* out) {
  const RowTag<T> d;
  ColumnNumbers<T> sum;
  column_sums_of<false>(
      x, n, columns, stride,
      [](auto v, int64_t) HWY_ATTR {
        return Two<decltype(v)>{Mul(v, v), v};
      },
      &sum, &sum);
  bool plain = true;
  for (int64_t c = 0; c < columns; ++c) {
    plain = plain && within_range<T>(static_cast<double>(sum.v[c]));
    out[c] = {static_cast<double>(sum.v[c]), 1, 0};
  }
  if (HWY_LIKELY(plain)) return;
  ColumnNumbers<T> largest, scale;
  column_extremes_of<1, true>(x, n, columns, stride, &largest);
  for (int64_t c = 0; c < kColumns; ++c) {
    const bool scales = c < columns && largest.v[c] != 0 && std::isfinite(largest.v[c]);
    scale.v[c] = scales ? scale_of(largest.v[c]) : T{1};
  }
  column_sums_of<false>(
      x, n, columns, stride,
      [&](auto v, int64_t c) HWY_ATTR {
        const auto s = Mul(v, Load(d, scale.v + c));
        return Two<decltype(v)>{Mul(s, s), v};
      },
      &sum, &sum);
  for (int64_t c = 0; c < columns; ++c) {
    if (std::isfinite(largest.v[c])) {
      out[c] = {static_cast<double>(sum.v[c]), 1 / static_cast<double>(scale.v[c]), 0};
    } else {
      out[c] = {static_cast<double>(largest.v[c]), 1, 0};
    }
  }
}

// (|v| / by)^p.
template <class D, class V>
HWY_INLINE HWY_ATTR V power_of_ratio(D d, V v, V by, V p) {
  return exp(d, Mul(p, log(d, Div(Abs(v), by))));
}

// Whether the part of such a largest (or smallest) magnitude is that magnitude alone.
bool stands_alone(double magnitude) { return magnitude == 0 || !std::isfinite(magnitude); }

template <class T>
HWY_ATTR Part powers(const T* x, int64_t n, double p) {
  const RowTag<T> d;
  const T unit = p > 0 ? row_extreme_of<1, true>(x, n) : row_extreme_of<-1, true>(x, n);
  const auto magnitude = static_cast<double>(unit);
  if (stands_alone(magnitude)) return {magnitude, 1, 0};
  const auto by = Set(d, unit), exponent = Set(d, static_cast<T>(p));
  return {magnitude, row_sum_of(x, n, [&](auto v) HWY_ATTR { return power_of_ratio(d, v, by, exponent); }),
          0};
}

template <class T>
HWY_ATTR void powers_of_columns(const T* x, int64_t n, int64_t columns, int64_t stride, double p, Part* out) {
  const RowTag<T> d;
  ColumnNumbers<T> unit, sum;
  if (p > 0) column_extremes_of<1, true>(x, n, columns, stride, &unit);
  else column_extremes_of<-1, true>(x, n, columns, stride, &unit);
  const auto exponent = Set(d, static_cast<T>(p));
  column_sums_of<false>(
      x, n, columns, stride,
      [&](auto v, int64_t c) HWY_ATTR {
        return Two<decltype(v)>{power_of_ratio(d, v, Load(d, unit.v + c), exponent), v};
      },
      &sum, &sum);
  for (int64_t c = 0; c < columns; ++c) {
    const auto magnitude = static_cast<double>(unit.v[c]);
    out[c] = {magnitude, stands_alone(magnitude) ? 1 : static_cast<double>(sum.v[c]), 0};
  }
}

template <class T>
HWY_ATTR double sum_of_products(const T* a, const T* b, int64_t n) {
  return row_product(a, b, n);
}

// clang-format off
template <class T>
constexpr ReduceKernels<T> kKernels = {
    {&sum<T>, &extreme<1, false, T>, &extreme<-1, false, T>, &product<T>, &log_sum_exp<T>, &moments<T>,
     &nonzeros<T>, &sum_abs<T>, &extreme<1, true, T>, &extreme<-1, true, T>, &squares<T>, &powers<T>},
    {&sums<T>, &extremes<1, false, T>, &extremes<-1, false, T>, &products<T>, &log_sums_exp<T>,
     &moments_of_columns<T>, &nonzeros_of_columns<T>, &sums_abs<T>, &extremes<1, true, T>,
     &extremes<-1, true, T>, &squares_of_columns<T>, &powers_of_columns<T>},
    &sum_of_products<T>};
// clang-format on

}  // namespace

const ReduceKernels<float>* reduce_float() { return &kKernels<float>; }
const ReduceKernels<double>* reduce_double() { return &kKernels<double>; }

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tapegrad::kernels {

HWY_EXPORT(reduce_float);
HWY_EXPORT(reduce_double);

template <>
const ReduceKernels<float>& reduce_kernels<float>() {
  return *target(HWY_DISPATCH_TABLE(reduce_float))();
}
template <>
const ReduceKernels<double>& reduce_kernels<double>() {
  return *target(HWY_DISPATCH_TABLE(reduce_double))();
}

}  // namespace tapegrad::kernels

#endif
