#include "autograd/kernels/tile_lanes.h"

#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/simd_targets.h"

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/tile_lanes.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {
namespace {

using namespace hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_AVX3

// Vectors as wide as a cache line, in pairs of rows: lanes side by side, then blocks of 16 bytes.
template <class E>
constexpr FixedTag<E, 64 / sizeof(E)> d_line;
using Line = Vec<FixedTag<uint64_t, 8>>;

// Four vectors of four blocks each, transposed as a matrix of blocks, to the lines to + k·step.
template <class E>
HWY_INLINE HWY_ATTR void store_blocks(Line a, Line b, Line c, Line d, E* to, int64_t step) {
  constexpr auto d64 = d_line<uint64_t>;
  const auto even = [](Line u, Line v) HWY_ATTR { return OddEvenBlocks(SwapAdjacentBlocks(v), u); };
  const auto odd = [](Line u, Line v) HWY_ATTR { return OddEvenBlocks(v, SwapAdjacentBlocks(u)); };
  const auto store = [&](Line v, int64_t k)
                         HWY_ATTR { StoreU(BitCast(d_line<E>, v), d_line<E>, to + k * step); };
  const Line ac = ConcatLowerLower(d64, c, a), bd = ConcatLowerLower(d64, d, b);
  const Line ac_high = ConcatUpperUpper(d64, c, a), bd_high = ConcatUpperUpper(d64, d, b);
  store(even(ac, bd), 0);
  store(odd(ac, bd), 1);
  store(even(ac_high, bd_high), 2);
  store(odd(ac_high, bd_high), 3);
}

// 16 × 16 elements, column k at from(k).
template <class From>
HWY_INLINE HWY_ATTR void transpose_lines(From from, uint32_t* to, int64_t to_stride) {
  constexpr auto d32 = d_line<uint32_t>;
  constexpr auto d64 = d_line<uint64_t>;
  Line quad[16];  // block l of quad[4k + j]: row 4l + j of columns 4k … 4k + 3
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) {
    const auto a = LoadU(d32, from(4 * k)), b = LoadU(d32, from(4 * k + 1));
    const auto c = LoadU(d32, from(4 * k + 2)), d = LoadU(d32, from(4 * k + 3));
    const Line ab = BitCast(d64, InterleaveLower(d32, a, b)), cd = BitCast(d64, InterleaveLower(d32, c, d));
    const Line ab_high = BitCast(d64, InterleaveUpper(d32, a, b));
    const Line cd_high = BitCast(d64, InterleaveUpper(d32, c, d));
    quad[4 * k] = InterleaveLower(d64, ab, cd);
    quad[4 * k + 1] = InterleaveUpper(d64, ab, cd);
    quad[4 * k + 2] = InterleaveLower(d64, ab_high, cd_high);
    quad[4 * k + 3] = InterleaveUpper(d64, ab_high, cd_high);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j)
    store_blocks(quad[j], quad[4 + j], quad[8 + j], quad[12 + j], to + j * to_stride, 4 * to_stride);
}

// 8 × 8 elements.
template <class From>
HWY_INLINE HWY_ATTR void transpose_lines(From from, uint64_t* to, int64_t to_stride) {
  constexpr auto d64 = d_line<uint64_t>;
  Line pair[8];  // block l of pair[2k + j]: row 2l + j of columns 2k and 2k + 1
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) {
    const Line a = LoadU(d64, from(2 * k)), b = LoadU(d64, from(2 * k + 1));
    pair[2 * k] = InterleaveLower(d64, a, b);
    pair[2 * k + 1] = InterleaveUpper(d64, a, b);
  }
#pragma GCC unroll 2
  for (int j = 0; j < 2; ++j)
    store_blocks(pair[j], pair[2 + j], pair[4 + j], pair[6 + j], to + j * to_stride, 2 * to_stride);
}

template <class E>
HWY_ATTR void transpose_block(const E* from, int64_t from_stride, E* to, int64_t to_stride) {
  transpose_lines([=](int64_t k) HWY_ATTR { return from + k * from_stride; }, to, to_stride);
}
template <class E>
HWY_ATTR void transpose_picked(const E* from, const int64_t* index, E* to, int64_t to_stride) {
  transpose_lines([=](int64_t k) HWY_ATTR { return from + index[k] * int64_t{64 / sizeof(E)}; }, to,
                  to_stride);
}

TransposeBlock<uint32_t> block_32() { return &transpose_block<uint32_t>; }
TransposeBlock<uint64_t> block_64() { return &transpose_block<uint64_t>; }
TransposePicked<uint32_t> picked_32() { return &transpose_picked<uint32_t>; }
TransposePicked<uint64_t> picked_64() { return &transpose_picked<uint64_t>; }

#elif HWY_TARGET == HWY_AVX2

constexpr FixedTag<uint32_t, 8> d32;
constexpr FixedTag<uint64_t, 4> d64;
using V32 = Vec<decltype(d32)>;
using V64 = Vec<decltype(d64)>;

// 8 × 8 elements.
HWY_INLINE HWY_ATTR void transpose_vectors(const uint32_t* from, int64_t from_stride, uint32_t* to,
                                           int64_t to_stride) {
  V64 pair[8];  // of columns 4k … 4k + 3, rows 0 … 3 in the lower halves and 4 … 7 in the upper ones
#pragma GCC unroll 2
  for (int k = 0; k < 2; ++k) {
    const uint32_t* at = from + 4 * k * from_stride;
    const V32 a = LoadU(d32, at), b = LoadU(d32, at + from_stride);
    const V32 c = LoadU(d32, at + 2 * from_stride), d = LoadU(d32, at + 3 * from_stride);
    const V64 ab = BitCast(d64, InterleaveLower(d32, a, b)), cd = BitCast(d64, InterleaveLower(d32, c, d));
    const V64 ab_high = BitCast(d64, InterleaveUpper(d32, a, b));
    const V64 cd_high = BitCast(d64, InterleaveUpper(d32, c, d));
    pair[4 * k] = InterleaveLower(d64, ab, cd);
    pair[4 * k + 1] = InterleaveUpper(d64, ab, cd);
    pair[4 * k + 2] = InterleaveLower(d64, ab_high, cd_high);
    pair[4 * k + 3] = InterleaveUpper(d64, ab_high, cd_high);
  }
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    StoreU(BitCast(d32, ConcatLowerLower(d64, pair[4 + r], pair[r])), d32, to + r * to_stride);
    StoreU(BitCast(d32, ConcatUpperUpper(d64, pair[4 + r], pair[r])), d32, to + (4 + r) * to_stride);
  }
}

// 4 × 4 elements.
HWY_INLINE HWY_ATTR void transpose_vectors(const uint64_t* from, int64_t from_stride, uint64_t* to,
                                           int64_t to_stride) {
  const V64 a = LoadU(d64, from), b = LoadU(d64, from + from_stride);
  const V64 c = LoadU(d64, from + 2 * from_stride), d = LoadU(d64, from + 3 * from_stride);
  const V64 ab = InterleaveLower(d64, a, b), cd = InterleaveLower(d64, c, d);
  const V64 ab_high = InterleaveUpper(d64, a, b), cd_high = InterleaveUpper(d64, c, d);
  StoreU(ConcatLowerLower(d64, cd, ab), d64, to);
  StoreU(ConcatLowerLower(d64, cd_high, ab_high), d64, to + to_stride);
  StoreU(ConcatUpperUpper(d64, cd, ab), d64, to + 2 * to_stride);
  StoreU(ConcatUpperUpper(d64, cd_high, ab_high), d64, to + 3 * to_stride);
}

template <class E>
HWY_ATTR void transpose_block(const E* from, int64_t from_stride, E* to, int64_t to_stride) {
  constexpr int64_t kStep = 32 / sizeof(E), kLine = 2 * kStep;
  for (int64_t j = 0; j < kLine; j += kStep) {
    for (int64_t i = 0; i < kLine; i += kStep)
      transpose_vectors(from + i + j * from_stride, from_stride, to + i * to_stride + j, to_stride);
  }
}

TransposeBlock<uint32_t> block_32() { return &transpose_block<uint32_t>; }
TransposeBlock<uint64_t> block_64() { return &transpose_block<uint64_t>; }

#else

TransposeBlock<uint32_t> block_32() { return nullptr; }
TransposeBlock<uint64_t> block_64() { return nullptr; }

#endif

#if HWY_TARGET != HWY_AVX3

TransposePicked<uint32_t> picked_32() { return nullptr; }
TransposePicked<uint64_t> picked_64() { return nullptr; }

#endif

}  // namespace
}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tapegrad::kernels {

HWY_EXPORT(block_32);
HWY_EXPORT(block_64);
HWY_EXPORT(picked_32);
HWY_EXPORT(picked_64);

TransposeBlock<uint32_t> transpose_block_32() { return target(HWY_DISPATCH_TABLE(block_32))(); }
TransposeBlock<uint64_t> transpose_block_64() { return target(HWY_DISPATCH_TABLE(block_64))(); }
TransposePicked<uint32_t> transpose_picked_32() { return target(HWY_DISPATCH_TABLE(picked_32))(); }
TransposePicked<uint64_t> transpose_picked_64() { return target(HWY_DISPATCH_TABLE(picked_64))(); }

}  // namespace tapegrad::kernels

#endif
