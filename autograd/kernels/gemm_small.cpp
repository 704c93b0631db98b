#include "autograd/kernels/gemm_small.h"

#include <algorithm>
#include <cstring>
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

constexpr size_t kRegisters = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON ? 32 : 16;
constexpr size_t kPackedBytes = 8192;

// Columns of b, `vectors` vectors of them, and the rows of a that meet them.
template <class T>
struct Strip {
  const T* a;
  int64_t a_row, a_k;  // steps between rows and along k
  const T* b;
  int64_t b_k;
  int64_t k;
  const T* start;  // what the sums begin with: a bias, or null for c itself
  T* c;
  int64_t c_row;
  int64_t columns;   // of c, at most the vectors' lanes
  const T* spill;    // whole vectors may be written up to here
};

template <size_t Vectors, class D, class V, class T, size_t... I>
HWY_INLINE HWY_ATTR void multiply_add(std::index_sequence<I...>, D d, const T* a, int64_t a_row, const V* b, V* sum) {
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
HWY_NOINLINE HWY_ATTR void store_narrow(const T* whole, size_t count, T* rows, int64_t step, int64_t columns) {
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
HWY_INLINE HWY_ATTR void store_rows(std::index_sequence<I...>, D d, const Vec<D>* sum, TFromD<D>* rows, int64_t step) {
  (StoreU(sum[I], d, rows + static_cast<int64_t>(I / Vectors) * step + I % Vectors * MaxLanes(d)), ...);
}

// `Rows` rows of c from the row `row` of the strip on.
template <size_t Rows, size_t Vectors, class T>
HWY_INLINE HWY_ATTR void block(const Strip<T>& s, int64_t row) {
  const Tag<T> d;
  using V = Vec<Tag<T>>;
  constexpr std::make_index_sequence<Rows * Vectors> kAll;
  constexpr int64_t kWidth = static_cast<int64_t>(Vectors * MaxLanes(d));
  V sum[Rows * Vectors];
  T* const c = s.c + row * s.c_row;
  HWY_ALIGN T whole[Rows * kWidth];
  if (s.start != nullptr) {
    load_rows<Vectors>(kAll, d, s.start, 0, sum);
  } else if (s.columns == kWidth) {
    load_rows<Vectors>(kAll, d, c, s.c_row, sum);
  } else {
    load_narrow<Vectors>(c, s.c_row, s.columns, Rows, whole);
    load_rows<Vectors>(kAll, d, whole, kWidth, sum);
  }
  const T* a = s.a + row * s.a_row;
  const T* b = s.b;
  for (int64_t p = 0; p < s.k; ++p, a += s.a_k, b += s.b_k) {
    V across[Vectors];
    load_rows<Vectors>(std::make_index_sequence<Vectors>{}, d, b, 0, across);
    multiply_add<Vectors>(kAll, d, a, s.a_row, across, sum);
  }
  if (s.columns == kWidth || c + static_cast<int64_t>(Rows - 1) * s.c_row + kWidth <= s.spill) {
    store_rows<Vectors>(kAll, d, sum, c, s.c_row);
  } else {
    store_rows<Vectors>(kAll, d, sum, whole, kWidth);
    store_narrow<Vectors>(whole, Rows, c, s.c_row, s.columns);
  }
}

template <size_t Rows, size_t Vectors, class T>
HWY_ATTR int64_t blocks_of(const Strip<T>& s, int64_t row, int64_t rows) {
  for (; rows - row >= static_cast<int64_t>(Rows); row += Rows) block<Rows, Vectors>(s, row);
  return row;
}

// All rows, in blocks whose sums keep the multipliers busy and still fit the registers.
template <size_t Vectors, class T>
HWY_ATTR void blocks(const Strip<T>& s, int64_t rows) {
  int64_t row = 0;
  if constexpr (kRegisters == 32 || Vectors == 1) row = blocks_of<12, Vectors>(s, row, rows);
  // 7 = 4 + 3 and 8 = 4 + 4 rather than 6 and a block that is too small.
  while (rows - row == 6 || rows - row > 8) block<6, Vectors>(s, row), row += 6;
  if (rows - row == 5) return block<5, Vectors>(s, row);
  row = blocks_of<4, Vectors>(s, row, rows);
  if (rows - row == 3) return block<3, Vectors>(s, row);
  if (rows - row == 2) return block<2, Vectors>(s, row);
  if (rows - row == 1) block<1, Vectors>(s, row);
}

// Rows of 16 bytes, four of float32 or two of float64, transposed: to[p·width + j] = rows[j][p].
template <class T>
HWY_INLINE HWY_ATTR void transpose_square(const T* const* rows, int64_t p, T* to, int64_t width) {
#if HWY_TARGET == HWY_SCALAR
  constexpr int64_t kSide = static_cast<int64_t>(16 / sizeof(T));
  for (int64_t i = 0; i < kSide * kSide; ++i) to[i / kSide * width + i % kSide] = rows[i % kSide][p + i / kSide];
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

// to[p, j] = b[j, p] for p < k, j < columns; b has rows of b_row elements, `to` of `width`, a multiple of 16 bytes
// (or of one element for lone lanes), which are filled with the last column.
template <class T>
HWY_ATTR void pack_transposed(const T* b, int64_t b_row, int64_t k, int64_t columns, T* to, int64_t width) {
  constexpr int64_t kSide = static_cast<int64_t>(16 / sizeof(T));
  int64_t j = 0;
  for (; j + kSide <= width; j += kSide) {
    const T* rows[kSide];
    for (int64_t i = 0; i < kSide; ++i) rows[i] = b + std::min(j + i, columns - 1) * b_row;
    int64_t p = 0;
    for (; p + kSide <= k; p += kSide) transpose_square(rows, p, to + p * width + j, width);
    for (; p < k; ++p) {
      for (int64_t i = 0; i < kSide; ++i) to[p * width + j + i] = rows[i][p];
    }
  }
  for (; j < width; ++j) {
    for (int64_t p = 0; p < k; ++p) to[p * width + j] = b[std::min(j, columns - 1) * b_row + p];
  }
}

// to[p, j] = b[p, j], likewise. `end` is the end of b.
template <class T>
HWY_ATTR void pack(const T* b, int64_t b_row, int64_t k, int64_t columns, T* to, int64_t width, const T* end) {
  const Tag<T> d;
  for (int64_t p = 0; p < k; ++p, b += b_row, to += width) {
    if (b + width <= end) {  // what follows in b fills columns that nobody reads
      for (int64_t j = 0; j < width; j += static_cast<int64_t>(Lanes(d))) Store(LoadU(d, b + j), d, to + j);
    } else {
      for (int64_t j = 0; j < width; ++j) to[j] = j < columns ? b[j] : T{0};
    }
  }
}

template <size_t Vectors, class T>
HWY_ATTR void strip(const Gemm& g, const GemmPart& part, int64_t column, int64_t columns, const T* a, const T* b,
                    const T* bias, T* c) {
  constexpr int64_t kWidth = static_cast<int64_t>(Vectors * MaxLanes(Tag<T>{}));
  constexpr int64_t kDepth = static_cast<int64_t>(kPackedBytes / sizeof(T)) / kWidth;
  alignas(64) T packed[kPackedBytes / sizeof(T)];
  alignas(64) T start[kWidth] = {};
  if (bias != nullptr) std::memcpy(start, bias + column, static_cast<size_t>(columns) * sizeof(T));
  const int64_t rows = part.row_end - part.row;
  const bool direct = !g.transpose_b && columns == kWidth &&
                      (rows <= 12 || g.k * g.n <= static_cast<int64_t>(2 * kPackedBytes / sizeof(T)));
  // The strips go from the last to the first: a row may spill into the next one, which is written later.
  const bool spills = part.column == 0 && part.column_end == g.n && (direct || g.k <= kDepth);
  T* const corner = c + part.row * g.n + column;
  Strip<T> s;
  s.a_row = g.transpose_a ? 1 : g.k;
  s.a_k = g.transpose_a ? g.m : 1;
  s.c = corner;
  s.c_row = g.n;
  s.columns = columns;
  s.spill = spills ? c + part.row_end * g.n : c;
  for (int64_t p = 0; p < g.k; p += s.k) {
    s.k = direct ? g.k : std::min(kDepth, g.k - p);
    s.a = a + part.row * s.a_row + p * s.a_k;
    s.start = p == 0 ? start : nullptr;
    if (direct) {
      s.b = b + column;
      s.b_k = g.n;
    } else {
      s.b = packed;
      s.b_k = kWidth;
      if (g.transpose_b) {
        pack_transposed(b + column * g.k + p, g.k, s.k, columns, packed, kWidth);
      } else {
        pack(b + p * g.n + column, g.n, s.k, columns, packed, kWidth, b + g.k * g.n);
      }
    }
    blocks<Vectors>(s, rows);
  }
}

template <class T>
HWY_ATTR void product(const Gemm& g, const GemmPart& part, const void* a, const void* b, const void* bias, void* c) {
  constexpr int64_t kLanes = static_cast<int64_t>(MaxLanes(Tag<T>{}));
  int64_t end = part.column_end;
  while (end > part.column) {
    const int64_t begin = part.column + (end - part.column - 1) / (2 * kLanes) * (2 * kLanes);
    const auto run = end - begin <= kLanes ? &strip<1, T> : &strip<2, T>;
    run(g, part, begin, end - begin, static_cast<const T*>(a), static_cast<const T*>(b), static_cast<const T*>(bias),
        static_cast<T*>(c));
    end = begin;
  }
}

HWY_ATTR void gemm_small(DType dtype, const Gemm& shape, const GemmPart& part, const void* a, const void* b,
                         const void* bias, void* c) {
  (dtype == DType::float32 ? &product<float> : &product<double>)(shape, part, a, b, bias, c);
}

}  // namespace
}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tapegrad::kernels {

HWY_EXPORT(gemm_small);

void gemm_small(DType dtype, const Gemm& shape, const GemmPart& part, const void* a, const void* b, const void* bias,
                void* c) {
  target(HWY_DISPATCH_TABLE(gemm_small))(dtype, shape, part, a, b, bias, c);
}

}  // namespace tapegrad::kernels

#endif
