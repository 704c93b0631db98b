#include "autograd/kernels/gemm_small.h"

#include <algorithm>
#include <utility>

#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/simd_targets.h"

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/gemm_small.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {
namespace {

template <class T>
using Tag = CappedTag<T, 64 / sizeof(T)>;

// c is computed in blocks of some rows by a panel of one or two vectors of columns, whose sums stay in
// registers over kDepth steps of k. Several panels make a strip, of which b is packed, panel after panel, on
// the stack.
constexpr bool kManyRegisters = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON;
constexpr int64_t kDepth = 128;
constexpr int64_t kPackedBytes = 32768;
constexpr int64_t kNarrowBytes = 8192;

template <class T>
constexpr int64_t kLanes = static_cast<int64_t>(MaxLanes(Tag<T>{}));
template <class T>
constexpr int64_t kPanel = 2 * kLanes<T>;
template <class T>
constexpr int64_t kStrip = kPackedBytes / static_cast<int64_t>(sizeof(T)) / kDepth;

// What the blocks of a strip have in common, for some steps of k.
template <class T>
struct Strip {
  const T* a;
  int64_t a_row, a_k;  // elements between rows, and between steps of k
  const T* b;
  int64_t b_k, b_panel;
  int64_t k;
  const T* start;  // what the sums begin with, kStrip elements; null: c itself
  const T* alpha;  // null, or c += *alpha·sum
  T* c;
  int64_t c_row;
  int64_t columns;
  const T* spill;  // whole vectors may be written up to here
};

template <size_t Vectors, class D, class V, class T, size_t... I>
HWY_INLINE HWY_ATTR void multiply_add(std::index_sequence<I...>, D d, const T* a, int64_t a_row, const V* b,
                                      V* sum) {
  ((sum[I] = MulAdd(Set(d, a[static_cast<int64_t>(I / Vectors) * a_row]), b[I % Vectors], sum[I])), ...);
}

// The first n lanes, or all of them for more.
template <class D>
HWY_INLINE HWY_ATTR Vec<D> load_lanes(D d, const TFromD<D>* p, int64_t n) {
  if (n >= static_cast<int64_t>(MaxLanes(d))) return LoadU(d, p);
  return n > 0 ? load_partial(d, p, static_cast<size_t>(n)) : Zero(d);
}
template <class D>
HWY_INLINE HWY_ATTR void store_lanes(D d, Vec<D> v, TFromD<D>* p, int64_t n) {
  if (n >= static_cast<int64_t>(MaxLanes(d))) {
    StoreU(v, d, p);
  } else if (n > 0) {
    store_partial(d, v, p, static_cast<size_t>(n));
  }
}

// Rows of `columns` elements in memory, to and from whole vectors.
template <size_t Vectors, class T>
HWY_NOINLINE HWY_ATTR void load_narrow(const T* rows, int64_t step, int64_t columns, size_t count, T* whole) {
  const Tag<T> d;
  for (size_t i = 0; i < count; ++i, rows += step) {
    for (size_t v = 0; v < Vectors * MaxLanes(d); v += MaxLanes(d), whole += MaxLanes(d)) {
      Store(load_lanes(d, rows + v, columns - static_cast<int64_t>(v)), d, whole);
    }
  }
}
template <size_t Vectors, class T>
HWY_NOINLINE HWY_ATTR void store_narrow(const T* whole, size_t count, T* rows, int64_t step,
                                        int64_t columns) {
  const Tag<T> d;
  for (size_t i = 0; i < count; ++i, rows += step) {
    for (size_t v = 0; v < Vectors * MaxLanes(d); v += MaxLanes(d), whole += MaxLanes(d)) {
      store_lanes(d, Load(d, whole), rows + v, columns - static_cast<int64_t>(v));
    }
  }
}

// sum[r·Vectors + v] = vector v of row r, the rows `step` apart.
template <size_t Vectors, class D, size_t... I>
HWY_INLINE HWY_ATTR void load_rows(std::index_sequence<I...>, D d, const TFromD<D>* rows, int64_t step,
                                   Vec<D>* sum) {
  ((sum[I] = LoadU(d, rows + static_cast<int64_t>(I / Vectors) * step + I % Vectors * MaxLanes(d))), ...);
}
template <size_t Vectors, class D, size_t... I>
HWY_INLINE HWY_ATTR void store_rows(std::index_sequence<I...>, D d, const Vec<D>* sum, TFromD<D>* rows,
                                    int64_t step) {
  (StoreU(sum[I], d, rows + static_cast<int64_t>(I / Vectors) * step + I % Vectors * MaxLanes(d)), ...);
}

// The same rows of c, plus alpha times what was summed.
template <size_t Vectors, class D, size_t... I>
HWY_INLINE HWY_ATTR void add_to_rows(std::index_sequence<I...>, D d, const TFromD<D>* rows, int64_t step,
                                     Vec<D> alpha, Vec<D>* sum) {
  ((sum[I] = MulAdd(alpha, sum[I],
                    LoadU(d, rows + static_cast<int64_t>(I / Vectors) * step + I % Vectors * MaxLanes(d)))),
   ...);
}

// One block: `Rows` rows by the panel at `column`.
template <size_t Rows, size_t Vectors, class T>
HWY_INLINE HWY_ATTR void block(const Strip<T>& s, int64_t row, int64_t column) {
  const Tag<T> d;
  constexpr std::make_index_sequence<Rows * Vectors> kAll;
  constexpr int64_t kWidth = static_cast<int64_t>(Vectors) * kLanes<T>;
  const int64_t columns = s.columns - column;  // of the panel, if it is the last
  T* const c = s.c + row * s.c_row + column;
  HWY_ALIGN T whole[Rows * kWidth];
  Vec<Tag<T>> sum[Rows * Vectors];
  if (s.start != nullptr) {
    load_rows<Vectors>(kAll, d, s.start + column, 0, sum);
  } else if (columns >= kWidth) {
    load_rows<Vectors>(kAll, d, c, s.c_row, sum);
  } else {
    load_narrow<Vectors>(c, s.c_row, columns, Rows, whole);
    load_rows<Vectors>(kAll, d, whole, kWidth, sum);
  }
  const T* a = s.a + row * s.a_row;
  const T* b = s.b + column / kPanel<T> * s.b_panel;
  for (int64_t p = 0; p < s.k; ++p, a += s.a_k, b += s.b_k) {
    Vec<Tag<T>> across[Vectors];
    load_rows<Vectors>(std::make_index_sequence<Vectors>{}, d, b, 0, across);
    multiply_add<Vectors>(kAll, d, a, s.a_row, across, sum);
  }
  if (s.alpha != nullptr) {
    if (columns < kWidth) load_narrow<Vectors>(c, s.c_row, columns, Rows, whole);
    add_to_rows<Vectors>(kAll, d, columns < kWidth ? whole : c, columns < kWidth ? kWidth : s.c_row,
                         Set(d, *s.alpha), sum);
  }
  if (columns >= kWidth || c + static_cast<int64_t>(Rows - 1) * s.c_row + kWidth <= s.spill) {
    store_rows<Vectors>(kAll, d, sum, c, s.c_row);
  } else {
    store_rows<Vectors>(kAll, d, sum, whole, kWidth);
    store_narrow<Vectors>(whole, Rows, c, s.c_row, columns);
  }
}

// Some rows of the whole strip, its panels from last to first: what spills is overwritten.
template <size_t Rows, class T>
HWY_NOINLINE HWY_ATTR void rows_of(const Strip<T>& s, int64_t row) {
  int64_t column = (s.columns - 1) / kPanel<T> * kPanel<T>;
  if (s.columns - column <= kLanes<T>) {
    block<Rows, 1>(s, row, column);
    column -= kPanel<T>;
  }
  if constexpr (Rows <= 6 || kManyRegisters) {
    for (; column >= 0; column -= kPanel<T>) block<Rows, 2>(s, row, column);
  }
}

// All rows, in blocks that keep the multipliers busy and whose sums fit the registers.
template <class T>
HWY_ATTR void all_rows(const Strip<T>& s, int64_t rows) {
  int64_t row = 0;
  if (kManyRegisters || s.columns <= kLanes<T>) {
    for (; rows - row >= 12; row += 12) rows_of<12>(s, row);
  }
  // 7 = 4 + 3 and 8 = 4 + 4 rather than 6 and a block that is too small.
  for (; rows - row == 6 || rows - row > 8; row += 6) rows_of<6>(s, row);
  if (rows - row == 5) return rows_of<5>(s, row);
  for (; rows - row >= 4; row += 4) rows_of<4>(s, row);
  if (rows - row == 3) return rows_of<3>(s, row);
  if (rows - row == 2) return rows_of<2>(s, row);
  if (rows - row == 1) rows_of<1>(s, row);
}

// A square of numbers, transposed: to[p·width + j] = rows[j][p]. Its sides are 16 bytes, or two elements
// where vectors have one lane.
template <class T>
HWY_INLINE HWY_ATTR void transpose_square(const T* const* rows, int64_t p, T* to, int64_t width) {
#if HWY_TARGET == HWY_SCALAR
  to[0] = rows[0][p], to[1] = rows[1][p], to[width] = rows[0][p + 1], to[width + 1] = rows[1][p + 1];
#else
  const FixedTag<double, 2> pairs;
  if constexpr (sizeof(T) == 8) {
    const auto row0 = LoadU(pairs, rows[0] + p), row1 = LoadU(pairs, rows[1] + p);
    StoreU(InterleaveLower(pairs, row0, row1), pairs, to);
    StoreU(InterleaveUpper(pairs, row0, row1), pairs, to + width);
  } else {
    const FixedTag<float, 4> d;
    const auto row0 = LoadU(d, rows[0] + p), row1 = LoadU(d, rows[1] + p);
    const auto row2 = LoadU(d, rows[2] + p), row3 = LoadU(d, rows[3] + p);
    const auto low01 = BitCast(pairs, InterleaveLower(d, row0, row1));
    const auto low23 = BitCast(pairs, InterleaveLower(d, row2, row3));
    const auto high01 = BitCast(pairs, InterleaveUpper(d, row0, row1));
    const auto high23 = BitCast(pairs, InterleaveUpper(d, row2, row3));
    StoreU(BitCast(d, InterleaveLower(pairs, low01, low23)), d, to);
    StoreU(BitCast(d, InterleaveUpper(pairs, low01, low23)), d, to + width);
    StoreU(BitCast(d, InterleaveLower(pairs, high01, high23)), d, to + 2 * width);
    StoreU(BitCast(d, InterleaveUpper(pairs, high01, high23)), d, to + 3 * width);
  }
#endif
}

// Packs a strip: panel after panel, each kDepth rows of kPanel elements, of which k get b[p, j]. `end` is the
// end of b.
template <class T>
HWY_ATTR void pack(const T* b, int64_t b_row, int64_t k, int64_t columns, T* packed, const T* end) {
  const Tag<T> d;
  for (int64_t p = 0; p < k; ++p, b += b_row) {
    T* to = packed + p * kPanel<T>;
    for (int64_t j = 0; j < columns; j += kPanel<T>, to += kPanel<T> * kDepth) {
      if (b + j + kPanel<T> <= end) {  // what follows in b fills columns that nobody reads
        Store(LoadU(d, b + j), d, to);
        Store(LoadU(d, b + j + kLanes<T>), d, to + kLanes<T>);
      } else {
        Store(load_lanes(d, b + j, columns - j), d, to);
        Store(load_lanes(d, b + j + kLanes<T>, columns - j - kLanes<T>), d, to + kLanes<T>);
      }
    }
  }
}

// The same of b stored the other way round. Fills up with the last column, but not a vector that has none.
template <class T>
HWY_ATTR void pack_transposed(const T* b, int64_t b_row, int64_t k, int64_t columns, T* packed) {
  constexpr int64_t kSide = std::min(static_cast<int64_t>(16 / sizeof(T)), kPanel<T>);
  for (int64_t j = 0; j < (columns + kLanes<T> - 1) / kLanes<T> * kLanes<T>; j += kSide) {
    T* to = packed + j / kPanel<T> * kPanel<T> * kDepth + j % kPanel<T>;
    const T* rows[kSide];
    for (int64_t i = 0; i < kSide; ++i) rows[i] = b + std::min(j + i, columns - 1) * b_row;
    int64_t p = 0;
    for (; p + kSide <= k; p += kSide) transpose_square(rows, p, to + p * kPanel<T>, kPanel<T>);
    for (; p < k; ++p) {
      for (int64_t i = 0; i < kSide; ++i) to[p * kPanel<T> + i] = rows[i][p];
    }
  }
}

template <class T>
HWY_ATTR void strip(const Gemm& g, const GemmPart& part, int64_t column, int64_t columns, const T* a,
                    const T* b, const T* bias, T* c, const T* alpha) {
  alignas(64) T packed[kPackedBytes / sizeof(T)];
  alignas(64) T start[kStrip<T>];
  const int64_t panels = (columns + kPanel<T> - 1) / kPanel<T>;
  for (int64_t j = 0; j < panels * kPanel<T>; ++j)
    start[j] = bias != nullptr && j < columns ? bias[column + j] : T{0};
  const int64_t rows = part.row_end - part.row;
  const bool direct = !g.transpose_b && columns % kLanes<T> == 0 &&
                      (rows <= 12 || g.k * g.n * static_cast<int64_t>(sizeof(T)) <= 16384);
  const bool spills =
      alpha == nullptr && part.column == 0 && part.column_end == g.n && (direct || g.k <= kDepth);
  Strip<T> s;
  s.a_row = g.transpose_a ? 1 : g.k;
  s.a_k = g.transpose_a ? g.m : 1;
  s.alpha = alpha;
  s.c = c + part.row * g.n + column;
  s.c_row = g.n;
  s.columns = columns;
  s.spill = spills ? c + part.row_end * g.n : c;
  for (int64_t p = 0; p < g.k; p += s.k) {
    s.k = direct ? g.k : std::min(kDepth, g.k - p);
    s.a = a + part.row * s.a_row + p * s.a_k;
    s.start = p == 0 || alpha != nullptr ? start : nullptr;
    s.b = direct ? b + column : packed;
    s.b_k = direct ? g.n : kPanel<T>;
    s.b_panel = direct ? kPanel<T> : kPanel<T> * kDepth;
    if (g.transpose_b) {
      pack_transposed(b + column * g.k + p, g.k, s.k, columns, packed);
    } else if (!direct) {
      pack(b + p * g.n + column, g.n, s.k, columns, packed, b + g.k * g.n);
    }
    all_rows(s, rows);
  }
}

// Where c has few columns, its transpose: the same chains of multiply-adds, on full vectors.
template <class T>
HWY_ATTR void narrow_product(const Gemm& g, const GemmPart& part, const T* a, const T* b, T* c) {
  const int64_t rows = part.row_end - part.row;
  alignas(64) T turned[kNarrowBytes / sizeof(T)];
  const Gemm other{
      .m = g.n, .n = g.m, .k = g.k, .transpose_a = !g.transpose_b, .transpose_b = !g.transpose_a};
  strip(other, {0, g.n, part.row, part.row_end}, part.row, rows, b, a, static_cast<const T*>(nullptr), turned,
        static_cast<const T*>(nullptr));
  for (int64_t j = 0; j < g.n; ++j) {
    for (int64_t i = part.row; i < part.row_end; ++i) c[i * g.n + j] = turned[j * g.m + i];
  }
}

template <class T>
bool is_narrow(const Gemm& g, const GemmPart& part, const void* bias) {
  return g.n <= kLanes<T> / 4 && g.transpose_a && bias == nullptr && part.column == 0 &&
         part.column_end == g.n && part.row_end - part.row <= kStrip<T> &&
         g.n * g.m <= kNarrowBytes / static_cast<int64_t>(sizeof(T));
}

// The strips go from the last to the first, as the panels do.
template <class T>
HWY_ATTR void product(const Gemm& g, const GemmPart& part, const void* a, const void* b, const void* bias,
                      void* c, const void* alpha) {
  if (alpha == nullptr && is_narrow<T>(g, part, bias)) {
    return narrow_product(g, part, static_cast<const T*>(a), static_cast<const T*>(b), static_cast<T*>(c));
  }
  for (int64_t end = part.column_end; end > part.column;) {
    const int64_t begin = part.column + (end - part.column - 1) / kStrip<T> * kStrip<T>;
    strip(g, part, begin, end - begin, static_cast<const T*>(a), static_cast<const T*>(b),
          static_cast<const T*>(bias), static_cast<T*>(c), static_cast<const T*>(alpha));
    end = begin;
  }
}

HWY_ATTR void gemm_small(DType dtype, const Gemm& shape, const GemmPart& part, const void* a, const void* b,
                         const void* bias, void* c, const void* alpha) {
  (dtype == DType::float32 ? &product<float> : &product<double>)(shape, part, a, b, bias, c, alpha);
}

bool gemm_leads() { return kManyRegisters && sizeof(float) * kLanes<float> == 64; }

}  // namespace
}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tapegrad::kernels {

HWY_EXPORT(gemm_small);
HWY_EXPORT(gemm_leads);

void gemm_small(DType dtype, const Gemm& shape, const GemmPart& part, const void* a, const void* b,
                const void* bias, void* c, const void* alpha) {
  target(HWY_DISPATCH_TABLE(gemm_small))(dtype, shape, part, a, b, bias, c, alpha);
}
bool gemm_leads() { return target(HWY_DISPATCH_TABLE(gemm_leads))(); }

}  // namespace tapegrad::kernels

#endif
