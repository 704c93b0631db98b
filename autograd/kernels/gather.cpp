#include "autograd/kernels/gather.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/parallel.h"
#include "autograd/kernels/simd_targets.h"

#ifndef TAPEGRAD_KERNELS_GATHER_STRIPS
#define TAPEGRAD_KERNELS_GATHER_STRIPS
namespace tapegrad::kernels {
inline constexpr int64_t kWidth = 8;           // columns taken at a time: a cache line of the index
inline constexpr int64_t kTableBytes = 16384;  // of the rows of x over so many columns; two stay near
inline constexpr int64_t kAhead = 8;           // rows of the index that are fetched before they are read

// Of one outer block the columns [begin, end), a multiple of kWidth; whether all entries are inside.
template <class E>
using GatherStrips = bool (*)(const Gathered& shape, const E* x, const int64_t* index, E* y, int64_t begin,
                              int64_t end);
}  // namespace tapegrad::kernels
#endif

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/gather.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {
namespace {

using namespace hwy::HWY_NAMESPACE;

// Of kWidth entries. The sign of entry | (last − entry), modulo 2^64, tells.
HWY_INLINE HWY_ATTR bool inside(const int64_t* entries, int64_t last) {
  const CappedTag<int64_t, kWidth> d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  auto signs = Zero(d);
  for (int64_t i = 0; i < kWidth; i += lanes) {
    const auto entry = LoadU(d, entries + i);
    signs = Or(signs, Or(entry, Sub(Set(d, last), entry)));
  }
  return AllFalse(d, Lt(signs, Zero(d)));
}

// y[k] = table[entries[k]][k]. Stores are what limits it, so those of 16 bytes become one.
template <class E>
HWY_INLINE HWY_ATTR void pick(const E* table, const int64_t* entries, E* y) {
  using Vector [[gnu::vector_size(16)]] = E;
  constexpr int64_t kTogether = 16 / sizeof(E);
  for (int64_t k = 0; k < kWidth; k += kTogether) {
    const auto at = [&](int64_t i) { return table[entries[i] * kWidth + i]; };
    Vector v;
    if constexpr (kTogether == 4) v = Vector{at(k), at(k + 1), at(k + 2), at(k + 3)};
    else v = Vector{at(k), at(k + 1)};
    std::memcpy(y + k, &v, 16);
  }
}

// Copies kWidth columns of rows [begin, end) of x side by side.
template <class E>
HWY_INLINE HWY_ATTR void fill(const E* x, int64_t x_row, int64_t begin, int64_t end, E* table) {
  for (int64_t r = begin; r < end; ++r) std::memcpy(table + r * kWidth, x + r * x_row, kWidth * sizeof(E));
}

// The columns of x lie side by side in a table; while one is gathered from, the next is filled.
template <class E>
HWY_ATTR bool gather_strips(const Gathered& s, const E* x, const int64_t* index, E* y, int64_t begin,
                            int64_t end) {
  HWY_ALIGN E tables[2][kTableBytes / sizeof(E)];
  const int64_t n = s.n, x_row = s.x_row, rows = s.rows, row = s.row;
  fill(x + begin, x_row, 0, n, tables[0]);
  for (int64_t c = begin, odd = 0; c < end; c += kWidth, odd ^= 1) {
    const E* table = tables[odd];
    E* other = tables[odd ^ 1];
    const E* next = x + (c + kWidth < end ? c + kWidth : c);
    const int64_t* entries = index + c;
    E* to = y + c;
    for (int64_t r = 0; r < rows; ++r, entries += row, to += row) {
      hwy::Prefetch(entries + (r + kAhead < rows ? kAhead * row : 0));
      if (HWY_UNLIKELY(!inside(entries, n - 1))) return false;
      pick(table, entries, to);
      fill(next, x_row, r, r < n ? r + 1 : r, other);
    }
    fill(next, x_row, rows, n, other);
  }
  return true;
}

}  // namespace

GatherStrips<uint32_t> gather_strips_32() { return &gather_strips<uint32_t>; }
GatherStrips<uint64_t> gather_strips_64() { return &gather_strips<uint64_t>; }

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tapegrad::kernels {

HWY_EXPORT(gather_strips_32);
HWY_EXPORT(gather_strips_64);

namespace {

constexpr int64_t kGrain = 32768;  // elements of a piece of work

// Whether rows that follow each other fall on few sets of the cache, where their lines would not stay.
bool crowded(int64_t row_bytes) { return row_bytes % 1024 == 0; }

template <class E>
int64_t gather_columns(const Gathered& s, const E* x, const int64_t* index, E* y, GatherStrips<E> kernel) {
  constexpr auto kSize = static_cast<int64_t>(sizeof(E));
  // Filling the tables must not take longer than what they save.
  const bool pays = s.n > 0 && s.n * kWidth * kSize <= kTableBytes && 2 * s.rows >= s.n;
  if (!pays || crowded(s.row * kSize)) return 0;
  const int64_t strips = s.row / kWidth;
  std::atomic<bool> failed = false;
  const int64_t grain = std::max<int64_t>(1, kGrain / (s.rows * kWidth));
  parallel_for(s.outer * strips, grain, [&](int64_t first, int64_t last) {
    while (first < last) {
      const int64_t o = first / strips, stop = std::min(last, (o + 1) * strips);
      if (!kernel(s, x + o * s.n * s.x_row, index + o * s.rows * s.row, y + o * s.rows * s.row,
                  first % strips * kWidth, (stop - o * strips) * kWidth)) {
        failed.store(true, std::memory_order_relaxed);
      }
      first = stop;
    }
  });
  return failed.load(std::memory_order_relaxed) ? -1 : strips * kWidth;
}

}  // namespace

template <>
int64_t gather_columns(const Gathered& s, const uint32_t* x, const int64_t* index, uint32_t* y) {
  return gather_columns(s, x, index, y, target(HWY_DISPATCH_TABLE(gather_strips_32))());
}
template <>
int64_t gather_columns(const Gathered& s, const uint64_t* x, const int64_t* index, uint64_t* y) {
  return gather_columns(s, x, index, y, target(HWY_DISPATCH_TABLE(gather_strips_64))());
}

}  // namespace tapegrad::kernels

#endif
