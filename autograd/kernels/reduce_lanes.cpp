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
  return {IfThenZeroElse(tie, exp_below(d, Sub(v, largest))), IfThenElseZero(tie, Set(d, TFromD<D>{1}))};
}

template <class T>
HWY_ATTR Part log_sum_exp(const T* x, int64_t n, double) {
  const RowTag<T> d;
  const T largest = row_extreme_of<1, false>(x, n);
  if (!std::isfinite(largest)) return {static_cast<double>(largest), 1, 0};
  const auto top = Set(d, largest);
  Part part{static_cast<double>(largest), 0, 0};
  row_sum_two(
      x, n,
      [&](auto v, auto& so_far) HWY_ATTR {
        const auto more = below_and_ties(d, v, top);
        so_far.a = Add(so_far.a, more.a);
        so_far.b = Add(so_far.b, more.b);
      },
      &part.c, &part.b);
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

// In one pass: sums of x − centre and of its square, the centre being the mean of four vectors from all over
// the row, to the bit where all elements are equal. Since m elements whose mean is off by e add at least m·e²
// to the result, the squares that are lost by cancellation are at most n/m times the result, hence the limit
// kMomentsNear.
template <class T>
HWY_ATTR Part moments(const T* x, int64_t n, double) {
  const RowTag<T> d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  const auto count = static_cast<double>(n);
  const double each = 1 / count;
  auto centre = Set(d, x[0]);
  if (n >= 4 * lanes) {
    const int64_t step = n / 4;
    const auto some =
        Add(Add(LoadU(d, x), LoadU(d, x + step)), Add(LoadU(d, x + 2 * step), LoadU(d, x + n - lanes)));
    centre = Mul(SumOfLanes(d, some), Set(d, T{1} / static_cast<T>(4 * lanes)));
  }
  double sum = 0, squares = 0;
  row_sum_two(
      x, n,
      [&](auto v, auto& so_far) HWY_ATTR {
        const auto off = Sub(v, centre);
        so_far.a = Add(so_far.a, off);
        so_far.b = MulAdd(off, off, so_far.b);
      },
      &sum, &squares);
  const double own = squares - sum * sum * each;
  return {static_cast<double>(GetLane(centre)) + sum * each, own < 0 ? 0 : own, count};
}

// The moments of columns, in one pass by blocks of rows. Of each block the sums of x − centre and of its
// square are taken, with the mean of the block before as the centre, and joined with what came before (see
// join_moments). The squares that are lost by cancellation are at most four times those that remain, since
// the means of neighbouring blocks differ by what is part of the result.
template <class T>
class ColumnMoments {
 public:
  HWY_INLINE HWY_ATTR ColumnMoments(const T* x, int64_t columns, int64_t stride)
      : x_(x), columns_(columns), stride_(stride) {}

  HWY_INLINE HWY_ATTR void run(int64_t n, Part* out) {
    const int64_t few = std::min<int64_t>(8, n);
    for_vectors([&](int64_t c, auto load) HWY_ATTR { begin(c, few, load); });
    for (int64_t i = 0; i < n; i += 8) {
      const int64_t rows = std::min<int64_t>(8, n - i);
      const bool begins = i % kBlock == 0;
      ahead_ = rows_ahead<T>(i, n, stride_);
      for_vectors([&](int64_t c, auto load) HWY_ATTR { add(c, i, rows, begins, load); });
      if ((i + 8) % kBlock == 0 || i + 8 >= n) {
        const int64_t before = i / kBlock * kBlock;
        for (int64_t c = 0; c < columns_; c += kLanes) join(c, before, i + rows - before);
      }
    }
    const WideTag d;
    const auto lanes = static_cast<int64_t>(Lanes(d)), whole = columns_ / lanes * lanes;
    for (int64_t c = 0; c < whole; c += lanes) {
      const auto mean = Add(load_wide(origin_.v + c), load_wide(mean_.v + c));
      StoreInterleaved3(mean, load_wide(total_.v + c), Set(d, static_cast<double>(n)), d, &out[c].a);
    }
    for (int64_t c = whole; c < columns_; ++c) {
      out[c] = {static_cast<double>(origin_.v[c]) + static_cast<double>(mean_.v[c]),
                static_cast<double>(total_.v[c]), static_cast<double>(n)};
    }
  }

 private:
  static constexpr int64_t kBlock = 64;
  static constexpr auto kLanes = static_cast<int64_t>(MaxLanes(RowTag<T>()));

  // body(c, load) for vectors of columns; load(r) reads row r.
  template <class Body>
  HWY_INLINE HWY_ATTR void for_vectors(Body body) const {
    const RowTag<T> d;
    const int64_t ahead = ahead_;
    int64_t c = 0;
    for (; c + kLanes <= columns_; c += kLanes) {
      body(c, [&](int64_t r) HWY_ATTR { return load_and_fetch(d, x_ + r * stride_ + c, ahead); });
    }
    if (c == columns_) return;
    const auto count = static_cast<size_t>(columns_ - c);
    body(c, [&](int64_t r) HWY_ATTR { return load_partial(d, x_ + r * stride_ + c, count); });
  }

  // The first centre is the mean of `few` rows, to the bit where they are equal.
  template <class Load>
  HWY_INLINE HWY_ATTR void begin(int64_t c, int64_t few, Load load) {
    const RowTag<T> d;
    const auto first = load(0);
    auto off = Zero(d);
    for (int64_t r = 1; r < few; ++r) off = Add(off, Sub(load(r), first));
    const auto centre = MulAdd(off, Set(d, T{1} / static_cast<T>(few)), first);
    Store(centre, d, origin_.v + c);
    Store(centre, d, centre_.v + c);
    Store(Zero(d), d, mean_.v + c);
    Store(Zero(d), d, total_.v + c);
  }

  // Takes in the rows from i on.
  template <class Load>
  HWY_INLINE HWY_ATTR void add(int64_t c, int64_t i, int64_t rows, bool begins, Load load) {
    const RowTag<T> d;
    const auto centre = at(centre_, c);
    auto sum = Zero(d), squares = Zero(d);
    const auto add_row = [&](int64_t r) HWY_ATTR {
      const auto off = Sub(load(i + r), centre);
      sum = Add(sum, off);
      squares = MulAdd(off, off, squares);
    };
    if (HWY_LIKELY(rows == 8)) {
#pragma GCC unroll 8
      for (int64_t r = 0; r < 8; ++r) add_row(r);
    } else {
      for (int64_t r = 0; r < rows; ++r) add_row(r);
    }
    Store(begins ? sum : Add(at(sum_, c), sum), d, sum_.v + c);
    Store(begins ? squares : Add(at(squares_, c), squares), d, squares_.v + c);
  }

  // Joins the block of `rows` with the `before` rows above it. Means are kept as offsets from the first
  // centre, whose digits they would lose otherwise.
  HWY_INLINE HWY_ATTR void join(int64_t c, int64_t before, int64_t rows) {
    const RowTag<T> d;
    const T each = T{1} / static_cast<T>(rows);
    const T weight = static_cast<T>(rows) / static_cast<T>(before + rows);
    const auto sum = at(sum_, c), centre = at(centre_, c), mean = at(mean_, c);
    const auto off = Mul(sum, Set(d, each));
    const auto own = NegMulAdd(sum, off, at(squares_, c));
    const auto apart = Sub(Add(Sub(centre, at(origin_, c)), off), mean);
    const auto across = Mul(Mul(apart, apart), Set(d, static_cast<T>(before) * weight));
    const auto total = Add(at(total_, c), IfThenZeroElse(Lt(own, Zero(d)), own));
    Store(Add(total, across), d, total_.v + c);
    Store(MulAdd(apart, Set(d, weight), mean), d, mean_.v + c);
    Store(Add(centre, off), d, centre_.v + c);
  }
  static HWY_INLINE HWY_ATTR auto at(const ColumnNumbers<T>& from, int64_t c) {
    return Load(RowTag<T>(), from.v + c);
  }

  const T* x_;
  int64_t columns_, stride_, ahead_ = 0;
  ColumnNumbers<T> origin_, centre_, sum_, squares_, mean_, total_;
};

HWY_INLINE HWY_ATTR void store_narrow(Vec<WideTag> v, double* p) { StoreU(v, WideTag(), p); }
HWY_INLINE HWY_ATTR void store_narrow(Vec<WideTag> v, float* p) {
  const Rebind<float, WideTag> narrow;
  StoreU(DemoteTo(narrow, v), narrow, p);
}

template <bool Root, class T>
HWY_ATTR void spreads(const Part* parts, int64_t columns, double count, T* y) {
  const WideTag d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  int64_t c = 0;
  for (; c + lanes <= columns; c += lanes) {
    Vec<WideTag> mean, squares, n;
    LoadInterleaved3(d, &parts[c].a, mean, squares, n);
    const auto variance = Div(squares, Set(d, count));
    store_narrow(Root ? Sqrt(variance) : variance, y + c);
  }
  for (; c < columns; ++c) {
    const double variance = parts[c].b / count;
    y[c] = static_cast<T>(Root ? std::sqrt(variance) : variance);
  }
}

template <class T>
HWY_ATTR void moments_of_columns(const T* x, int64_t n, int64_t columns, int64_t stride, double, Part* out) {
  ColumnMoments<T>(x, columns, stride).run(n, out);
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

// |v|^p for one p.
template <class T>
struct AnyPower {
  T p;
  template <class D, class V>
  HWY_INLINE HWY_ATTR V operator()(D d, V v) const {
    return exp(d, Mul(Set(d, p), log(d, Abs(v))));
  }
};

// For a whole p of 3 or more by multiplications, p − 1 roundings off.
struct WholePower {
  uint32_t p, second;  // the second highest bit of p, alone
  explicit WholePower(double whole)
      : p(static_cast<uint32_t>(whole)), second(uint32_t{1} << (30 - __builtin_clz(p))) {}
  template <class D, class V>
  HWY_INLINE HWY_ATTR V operator()(D, V v) const {
    const V size = Abs(v);
    V y = size;
    for (uint32_t bit = second; bit != 0; bit >>= 1) {
      y = Mul(y, y);
      if ((p & bit) != 0) y = Mul(y, size);
    }
    return y;
  }
};
// The same for p = 3, without a loop.
struct Cube {
  template <class D, class V>
  HWY_INLINE HWY_ATTR V operator()(D, V v) const {
    const V size = Abs(v);
    return Mul(Mul(size, size), size);
  }
};

// Whether a sum of powers of elements, not of their ratios to a unit, lost nothing below or above: what is
// joined with it then neither comes near the ends of double's range.
template <class T>
bool well_within_range(double sum) {
  constexpr double kHigh = sizeof(T) == 4 ? 0x1p60 : 0x1p500;
  return sum >= 1 / kHigh && sum <= kHigh;
}

// Whether the part of such a largest (or smallest) magnitude is that magnitude alone.
bool stands_alone(double magnitude) { return magnitude == 0 || !std::isfinite(magnitude); }

// The part with the largest magnitude, or for p < 0 the smallest, as the unit.
template <class T, class Power>
HWY_INLINE HWY_ATTR Part powers_of_ratios(const T* x, int64_t n, bool largest, Power power) {
  const RowTag<T> d;
  const T unit = largest ? row_extreme_of<1, true>(x, n) : row_extreme_of<-1, true>(x, n);
  const auto magnitude = static_cast<double>(unit);
  if (stands_alone(magnitude)) return {magnitude, 1, 0};
  const auto by = Set(d, unit);
  return {magnitude, row_sum_of(x, n, [&](auto v) HWY_ATTR { return power(d, Div(v, by)); }), 0};
}

template <class T, class Power>
HWY_INLINE HWY_ATTR Part whole_powers(const T* x, int64_t n, Power power) {
  const RowTag<T> d;
  const double plain = row_sum_of(x, n, [&](auto v) HWY_ATTR { return power(d, v); });
  return HWY_LIKELY(well_within_range<T>(plain)) ? Part{1, plain, 0} : powers_of_ratios(x, n, true, power);
}

template <class T>
HWY_ATTR Part powers(const T* x, int64_t n, double p) {
  if (!is_whole_power(p)) return powers_of_ratios(x, n, p > 0, AnyPower<T>{static_cast<T>(p)});
  return p == 3 ? whole_powers(x, n, Cube()) : whole_powers(x, n, WholePower(p));
}

template <class T, class Power>
HWY_INLINE HWY_ATTR void powers_of_ratios(const T* x, int64_t n, int64_t columns, int64_t stride,
                                          bool largest, Power power, Part* out) {
  const RowTag<T> d;
  ColumnNumbers<T> unit, sum;
  if (largest) column_extremes_of<1, true>(x, n, columns, stride, &unit);
  else column_extremes_of<-1, true>(x, n, columns, stride, &unit);
  column_sums_of<false>(
      x, n, columns, stride,
      [&](auto v, int64_t c) HWY_ATTR {
        return Two<decltype(v)>{power(d, Div(v, Load(d, unit.v + c))), v};
      },
      &sum, &sum);
  for (int64_t c = 0; c < columns; ++c) {
    const auto magnitude = static_cast<double>(unit.v[c]);
    out[c] = {magnitude, stands_alone(magnitude) ? 1 : static_cast<double>(sum.v[c]), 0};
  }
}

template <class T, class Power>
HWY_INLINE HWY_ATTR void whole_powers(const T* x, int64_t n, int64_t columns, int64_t stride, Power power,
                                      Part* out) {
  const RowTag<T> d;
  ColumnNumbers<T> sum;
  column_sums_of<false>(
      x, n, columns, stride,
      [&](auto v, int64_t) HWY_ATTR {
        return Two<decltype(v)>{power(d, v), v};
      },
      &sum, &sum);
  bool plain = true;
  for (int64_t c = 0; c < columns; ++c) {
    const auto total = static_cast<double>(sum.v[c]);
    plain = plain && well_within_range<T>(total);
    out[c] = {1, total, 0};
  }
  if (HWY_UNLIKELY(!plain)) powers_of_ratios(x, n, columns, stride, true, power, out);
}

template <class T>
HWY_ATTR void powers_of_columns(const T* x, int64_t n, int64_t columns, int64_t stride, double p, Part* out) {
  if (!is_whole_power(p)) {
    powers_of_ratios(x, n, columns, stride, p > 0, AnyPower<T>{static_cast<T>(p)}, out);
  } else if (p == 3) {
    whole_powers(x, n, columns, stride, Cube(), out);
  } else {
    whole_powers(x, n, columns, stride, WholePower(p), out);
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
    {&spreads<false, T>, &spreads<true, T>},
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
