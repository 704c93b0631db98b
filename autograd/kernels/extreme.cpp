// The largest and smallest with their indices.

#include <algorithm>
#include <limits>

#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/parallel.h"
#include "autograd/kernels/reduce.h"
#include "autograd/kernels/simd_targets.h"

#ifndef TAPEGRAD_KERNELS_EXTREME_TABLE
#define TAPEGRAD_KERNELS_EXTREME_TABLE
namespace tapegrad::kernels {
// Of one element type and target; [0] smallest, [1] largest.
template <class T>
struct ExtremeKernels {
  // The value and, in *index, where it is in the dense x.
  T (*row[2])(const T* x, int64_t n, int64_t* index);
  // For each of `columns` ≤ kColumns columns of n rows that lie `stride` apart; `values` may be null.
  void (*columns[2])(const T* x, int64_t n, int64_t columns, int64_t stride, T* values, int64_t* indices);
};
}  // namespace tapegrad::kernels
#endif

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/extreme.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {
namespace {

// The place in four vectors, of which one holds a lane where `is` holds, of the first such lane.
template <class D, class F>
HWY_INLINE HWY_ATTR int64_t place_in_four(D d, const TFromD<D>* x, F is) {
  const auto lanes = static_cast<int64_t>(Lanes(d));
  // Chosen without a branch, which would be foreseen one time in four.
  int64_t place = 0;
  const auto earlier = [&](int64_t at) HWY_ATTR {
    const auto found = static_cast<int64_t>(FindFirstTrue(d, is(LoadU(d, x + at))));
    place = found >= 0 ? at + found : place;
  };
  earlier(3 * lanes);
  earlier(2 * lanes);
  earlier(lanes);
  earlier(0);
  return place;
}

// The extreme of a row shorter than four vectors.
template <int Sign, class T>
HWY_ATTR T extreme_of_short_row(const T* x, int64_t n, int64_t* index) {
  const RowTag<T> d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  const T value = row_extreme_of<Sign, false>(x, n);
  const auto wanted = Set(d, value);
  const auto place = [&](auto v)
                         HWY_ATTR { return FindFirstTrue(d, value == value ? Eq(v, wanted) : IsNaN(v)); };
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto found = place(LoadU(d, x + i));
    if (found < 0) continue;
    *index = i + static_cast<int64_t>(found);
    return x[*index];
  }
  // Zeros behind the end come after what is looked for.
  *index = i + static_cast<int64_t>(place(load_partial(d, x + i, static_cast<size_t>(n - i))));
  return x[*index];
}

// Each lane keeps its extreme and the first group of four vectors that holds it; at the end the first of
// those groups is looked through. No branch depends on the elements, so that rows that follow each other
// overlap.
template <bool Largest, class T>
HWY_ATTR T extreme_of_row(const T* x, int64_t n, int64_t* index) {
  const RowTag<T> d;
  const RebindToSigned<decltype(d)> di;
  using I = TFromD<decltype(di)>;
  constexpr int kSign = Largest ? 1 : -1;
  const auto group = static_cast<int64_t>(4 * Lanes(d));
  if (n < group) return extreme_of_short_row<kSign>(x, n, index);

  const auto further = [](auto a, auto b) HWY_ATTR { return Largest ? Max(a, b) : Min(a, b); };
  auto best = Set(d, -kSign * std::numeric_limits<T>::infinity());
  auto sum = Zero(d);  // is NaN if an element is
  auto leader = Zero(di);
  const auto take = [&](const T* at, int64_t number) HWY_ATTR {
    const auto lanes = static_cast<int64_t>(Lanes(d));
    const auto a = LoadU(d, at), b = LoadU(d, at + lanes);
    const auto c = LoadU(d, at + 2 * lanes), e = LoadU(d, at + 3 * lanes);
    const auto top = further(further(a, b), further(c, e));
    const auto leads = Largest ? Gt(top, best) : Lt(top, best);
    leader = IfThenElse(RebindMask(di, leads), Set(di, static_cast<I>(number)), leader);
    best = further(top, best);
    sum = Add(sum, Add(Add(a, b), Add(c, e)));
  };
  const int64_t groups = n / group;
  for (int64_t k = 0; k < groups; ++k) take(x + k * group, k);
  // The last group overlaps the one before, which is first where they share what is looked for.
  const bool rest = n % group != 0;
  if (rest) take(x + n - group, groups);
  const auto start = [&](int64_t k) { return std::min(k * group, n - group); };

  if (HWY_UNLIKELY(!AllFalse(d, IsNaN(sum)))) {
    for (int64_t k = 0; k < groups + rest; ++k) {
      const T* from = x + start(k);
      if (!std::any_of(from, from + group, [](T v) { return v != v; })) continue;
      *index = start(k) + place_in_four(d, from, [](auto v) HWY_ATTR { return IsNaN(v); });
      return x[*index];
    }
  }
  const auto wanted = Set(d, extreme_of_lanes<kSign>(d, best));
  const auto candidates =
      IfThenElse(RebindMask(di, Eq(best, wanted)), leader, Set(di, std::numeric_limits<I>::max()));
  const int64_t first = start(static_cast<int64_t>(GetLane(MinOfLanes(di, candidates))));
  *index = first + place_in_four(d, x + first, [&](auto v) HWY_ATTR { return Eq(v, wanted); });
  return x[*index];
}

// Of some columns, the extremes so far and the rows of their block where they are.
template <bool Largest, class T>
struct Leaders {
  using D = RowTag<T>;
  using DI = RebindToSigned<D>;
  Vec<D> value;
  Vec<DI> row;

  // `rows` ≤ 8 of them from row `at` on; load(r) gives each.
  template <class Load>
  HWY_INLINE HWY_ATTR void take_rows(int64_t at, int64_t rows, Load load) {
    const D d;
    const DI di;
    auto best = value, sum = value;  // a sum that is NaN if one of them is
    auto later = Set(di, -1);
    const auto take = [&](int64_t r) HWY_ATTR {
      const auto v = load(r);
      const auto leads = Largest ? Gt(v, best) : Lt(v, best);
      later = IfThenElse(RebindMask(di, leads), Set(di, static_cast<TFromD<DI>>(r)), later);
      best = Largest ? Max(v, best) : Min(v, best);
      sum = Add(sum, v);
    };
    if (HWY_LIKELY(rows == 8)) {
#pragma GCC unroll 8
      for (int64_t r = 0; r < 8; ++r) take(r);
    } else {
      for (int64_t r = 0; r < rows; ++r) take(r);
    }
    if (HWY_UNLIKELY(!AllFalse(d, IsNaN(sum)))) return take_nans(at, rows, load);
    value = best;
    row = IfThenElse(Lt(later, Zero(di)), row, Add(later, Set(di, static_cast<TFromD<DI>>(at))));
  }

 private:
  // The same where there may be NaN, of which the first stays.
  template <class Load>
  HWY_INLINE HWY_ATTR void take_nans(int64_t at, int64_t rows, Load load) {
    for (int64_t r = 0; r < rows; ++r) {
      const auto v = load(r);
      const auto stays = Or(Largest ? Le(v, value) : Ge(v, value), IsNaN(value));
      value = IfThenElse(stays, value, v);
      row = IfThenElse(RebindMask(DI(), stays), row, Set(DI(), static_cast<TFromD<DI>>(at + r)));
    }
  }
};

template <bool Largest, class T>
HWY_ATTR void extremes_of_columns(const T* x, int64_t n, int64_t columns, int64_t stride, T* values,
                                  int64_t* indices) {
  const RowTag<T> d;
  const RebindToSigned<decltype(d)> di;
  using I = TFromD<decltype(di)>;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  constexpr int64_t kBlock = 4096;  // its row numbers fit every integer lane
  ColumnNumbers<T> best;
  ColumnNumbers<I> at;
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t end = std::min(n, first + kBlock);
    for (int64_t i = first; i < end; i += 8) {
      const T* from = x + i * stride;
      const int64_t ahead = rows_ahead<T>(i, end, stride);
      for (int64_t c = 0; c < columns; c += lanes) {
        const auto advance = [&](auto load) HWY_ATTR {
          Leaders<Largest, T> leaders;
          leaders.value = i == 0 ? load(0) : Load(d, best.v + c);
          leaders.row = i == first ? Set(di, i == 0 ? I{0} : I{-1}) : Load(di, at.v + c);
          leaders.take_rows(i - first, std::min<int64_t>(8, end - i), load);
          Store(leaders.value, d, best.v + c);
          Store(leaders.row, di, at.v + c);
        };
        if (HWY_LIKELY(c + lanes <= columns)) {
          advance([&](int64_t r) HWY_ATTR { return load_and_fetch(d, from + r * stride + c, ahead); });
        } else {
          const auto count = static_cast<size_t>(columns - c);
          advance([&](int64_t r) HWY_ATTR { return load_partial(d, from + r * stride + c, count); });
        }
      }
    }
    for (int64_t c = 0; c < columns; ++c) {
      const auto row = static_cast<int64_t>(at.v[c]);
      indices[c] = first == 0 || row >= 0 ? first + row : indices[c];
    }
  }
  if (values != nullptr) std::copy(best.v, best.v + columns, values);
}

template <class T>
constexpr ExtremeKernels<T> kKernels = {{&extreme_of_row<false, T>, &extreme_of_row<true, T>},
                                        {&extremes_of_columns<false, T>, &extremes_of_columns<true, T>}};

}  // namespace

const ExtremeKernels<float>* extreme_float() { return &kKernels<float>; }
const ExtremeKernels<double>* extreme_double() { return &kKernels<double>; }

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tapegrad::kernels {

HWY_EXPORT(extreme_float);
HWY_EXPORT(extreme_double);

namespace {

constexpr int64_t kPiece = 32768;
constexpr int64_t kMostPieces = 1024;

template <class T>
bool beats(bool largest, T a, T b) {
  return b == b && (a != a || (largest ? a > b : a < b));
}

// Any type and any stride, one after the other.
template <class T>
T plain_extreme(bool largest, const T* x, int64_t n, int64_t stride, int64_t* index) {
  int64_t best = 0;
  for (int64_t i = 1; i < n; ++i) {
    if (beats(largest, x[i * stride], x[best * stride])) best = i;
  }
  *index = best;
  return x[best * stride];
}

template <class T>
struct Extremes {
  bool largest;
  const T* x;
  T* values;
  int64_t* indices;

  void put(int64_t at, T value, int64_t index) const {
    if (values != nullptr) values[at] = value;
    indices[at] = index;
  }
  T dense(const T* row, int64_t n, int64_t* index) const {
    if constexpr (std::is_same_v<T, int64_t>) return plain_extreme(largest, row, n, 1, index);
    else if constexpr (sizeof(T) == 4)
      return table(HWY_DISPATCH_TABLE(extreme_float)).row[largest](row, n, index);
    else return table(HWY_DISPATCH_TABLE(extreme_double)).row[largest](row, n, index);
  }
  void side_by_side(const T* from, int64_t n, int64_t width, int64_t stride, T* best, int64_t* where) const {
    if constexpr (std::is_same_v<T, int64_t>) {
      for (int64_t c = 0; c < width; ++c) {
        const T value = plain_extreme(largest, from + c, n, stride, where + c);
        if (best != nullptr) best[c] = value;
      }
    } else if constexpr (sizeof(T) == 4) {
      table(HWY_DISPATCH_TABLE(extreme_float)).columns[largest](from, n, width, stride, best, where);
    } else {
      table(HWY_DISPATCH_TABLE(extreme_double)).columns[largest](from, n, width, stride, best, where);
    }
  }
  template <class F>
  static const auto& table(F* functions) {
    return *target(functions)();
  }

  void rows(int64_t count, int64_t n) const {
    parallel_for(count, std::max<int64_t>(1, kPiece / n), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        int64_t index = 0;
        const T value = n <= kPiece ? dense(x + r * n, n, &index) : long_row(x + r * n, n, &index);
        put(r, value, index);
      }
    });
  }
  T long_row(const T* row, int64_t n, int64_t* index) const {
    const int64_t piece = std::max(kPiece, (n + kMostPieces - 1) / kMostPieces);
    const int64_t pieces = (n + piece - 1) / piece;
    T best[kMostPieces];
    int64_t where[kMostPieces];
    best[0] = row[0];
    where[0] = 0;
    parallel_for(pieces, 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p)
        best[p] = dense(row + p * piece, std::min(piece, n - p * piece), where + p);
    });
    int64_t p = 0;
    plain_extreme(largest, best, pieces, 1, &p);
    *index = p * piece + where[p];
    return best[p];
  }

  void columns(int64_t outer, int64_t n, int64_t inner) const {
    const int64_t strips = (inner + kColumns - 1) / kColumns;
    const int64_t grain = std::max<int64_t>(1, kPiece / (n * std::min(inner, kColumns)));
    parallel_for(outer * strips, grain, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t c = task % strips * kColumns;
        const int64_t width = std::min(kColumns, inner - c);
        const int64_t at = task / strips * inner + c;
        side_by_side(x + task / strips * n * inner + c, n, width, inner,
                     values == nullptr ? nullptr : values + at, indices + at);
      }
    });
  }
};

}  // namespace

void extreme_with_index(bool largest, DType dtype, const void* x, void* values, int64_t* indices,
                        int64_t outer, int64_t n, int64_t inner) {
  if (outer == 0 || inner == 0) return;
  auto run = [&](auto zero) {
    using T = decltype(zero);
    const Extremes<T> extremes{largest, static_cast<const T*>(x), static_cast<T*>(values), indices};
    inner == 1 ? extremes.rows(outer, n) : extremes.columns(outer, n, inner);
  };
  switch (dtype) {
    case DType::float32: return run(float{});
    case DType::float64: return run(double{});
    default: run(int64_t{});
  }
}

}  // namespace tapegrad::kernels

#endif
