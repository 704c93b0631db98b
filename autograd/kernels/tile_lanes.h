#pragma once

// Transposing blocks on vectors of 32 or 64 bytes. Internal, not installed.

#include <cstdint>

namespace tapegrad::kernels {

// to[r·to_stride + c] = from[r + c·from_stride] for a square as wide as a cache line.
template <class E>
using TransposeBlock = void (*)(const E* from, int64_t from_stride, E* to, int64_t to_stride);

// The same with column c being the line from + 64 bytes·index[c].
template <class E>
using TransposePicked = void (*)(const E* from, const int64_t* index, E* to, int64_t to_stride);

// For the target in use; null where its vectors are shorter, for picked ones than 64 bytes.
TransposeBlock<uint32_t> transpose_block_32();
TransposeBlock<uint64_t> transpose_block_64();
TransposePicked<uint32_t> transpose_picked_32();
TransposePicked<uint64_t> transpose_picked_64();

}  // namespace tapegrad::kernels
