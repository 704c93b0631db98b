#include "autograd/kernels/tile.h"

#include <algorithm>
#include <cstring>

#include "autograd/kernels/tile_lanes.h"

namespace tapegrad::kernels {
namespace {

// Vectors of 16 bytes, which every machine has; tile_lanes.h has longer ones.
template <class E>
using Vector [[gnu::vector_size(16)]] = E;

template <class E>
Vector<E> load(const E* from) {
  Vector<E> v;
  std::memcpy(&v, from, sizeof(v));
  return v;
}
template <class E>
void store(Vector<E> v, E* to) {
  std::memcpy(to, &v, sizeof(v));
}

// A block of k × k elements, k = 16 / sizeof(E).
void transpose_vectors(const uint32_t* from, int64_t from_stride, uint32_t* to, int64_t to_stride) {
  const auto a = load(from), b = load(from + from_stride), c = load(from + 2 * from_stride),
             d = load(from + 3 * from_stride);
  const auto ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const auto ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7),
             cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  store<uint32_t>(__builtin_shufflevector(ab, cd, 0, 1, 4, 5), to);
  store<uint32_t>(__builtin_shufflevector(ab, cd, 2, 3, 6, 7), to + to_stride);
  store<uint32_t>(__builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5), to + 2 * to_stride);
  store<uint32_t>(__builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7), to + 3 * to_stride);
}
void transpose_vectors(const uint64_t* from, int64_t from_stride, uint64_t* to, int64_t to_stride) {
  const auto a = load(from), b = load(from + from_stride);
  store<uint64_t>(__builtin_shufflevector(a, b, 0, 2), to);
  store<uint64_t>(__builtin_shufflevector(a, b, 1, 3), to + to_stride);
}

template <class E>
void transpose_plain(const E* from, int64_t from_stride, E* to, int64_t to_stride, int64_t rows,
                     int64_t columns) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) to[r * to_stride + c] = from[r + c * from_stride];
  }
}

template <class E>
void transpose_block(const E* from, int64_t from_stride, E* to, int64_t to_stride) {
  constexpr int64_t kLine = 64 / sizeof(E);
  constexpr int64_t kStep = 16 / sizeof(E);
  for (int64_t j = 0; j < kLine; j += kStep) {
    for (int64_t i = 0; i < kLine; i += kStep)
      transpose_vectors(from + i + j * from_stride, from_stride, to + i * to_stride + j, to_stride);
  }
}

template <class E>
void transpose_lines(const E* from, int64_t from_stride, E* to, int64_t to_stride, int64_t rows,
                     int64_t columns, TransposeBlock<E> block) {
  constexpr int64_t kLine = 64 / sizeof(E);
  int64_t r = 0;
  for (; r + kLine <= rows; r += kLine) {
    int64_t c = 0;
    for (; c + kLine <= columns; c += kLine)
      block(from + r + c * from_stride, from_stride, to + r * to_stride + c, to_stride);
    transpose_plain(from + r + c * from_stride, from_stride, to + r * to_stride + c, to_stride, kLine,
                    columns - c);
  }
  transpose_plain(from + r, from_stride, to + r * to_stride, to_stride, rows - r, columns);
}

template <class E>
void transpose(const E* from, int64_t from_stride, E* to, int64_t to_stride, int64_t rows, int64_t columns,
               TransposeBlock<E> lanes) {
  const TransposeBlock<E> block = lanes != nullptr ? lanes : &transpose_block<E>;
  // Rows that are 2048 or 4096 bytes apart share one or two sets of the cache, which do not hold the lines of
  // a block: it is written by longer pieces of rows, by way of a buffer. With longer rows the matrix is
  // mostly larger than the caches, and that only costs time.
  constexpr int64_t kRows = 32, kColumns = 512 / sizeof(E);
  const size_t row = static_cast<size_t>(to_stride) * sizeof(E);
  const bool crowded = row == 2048 || row == 4096;
  if (!crowded || rows % kRows != 0 || columns < kColumns)
    return transpose_lines(from, from_stride, to, to_stride, rows, columns, block);
  constexpr int64_t kLine = 64 / sizeof(E);
  alignas(64) E buffer[kRows * kColumns];
  const int64_t whole = columns / kColumns * kColumns;
  for (int64_t r = 0; r < rows; r += kRows) {
    for (int64_t c = 0; c < whole; c += kColumns) {
      for (int64_t j = 0; j < kColumns; j += kLine) {
        for (int64_t i = 0; i < kRows; i += kLine)
          block(from + r + i + (c + j) * from_stride, from_stride, buffer + i * kColumns + j, kColumns);
      }
      for (int64_t i = 0; i < kRows; ++i) {
        for (int64_t j = 0; j < kColumns; j += kLine)
          std::memcpy(to + (r + i) * to_stride + c + j, buffer + i * kColumns + j, 64);
      }
    }
  }
  transpose_lines(from + whole * from_stride, from_stride, to + whole, to_stride, rows, columns - whole,
                  block);
}

// Blocks of 16 × 16, so that both sides use their cache lines while they are near.
template <class E>
void transpose_blocks(const E* from, int64_t from_stride, E* to, int64_t to_stride, int64_t rows,
                      int64_t columns) {
  constexpr int64_t kBlock = 16;
  for (int64_t r = 0; r < rows; r += kBlock) {
    for (int64_t c = 0; c < columns; c += kBlock) {
      transpose_plain(from + r + c * from_stride, from_stride, to + r * to_stride + c, to_stride,
                      std::min(kBlock, rows - r), std::min(kBlock, columns - c));
    }
  }
}

}  // namespace

void transpose_tile(const uint8_t* from, int64_t from_stride, uint8_t* to, int64_t to_stride, int64_t rows,
                    int64_t columns) {
  transpose_blocks(from, from_stride, to, to_stride, rows, columns);
}
void transpose_tile(const uint16_t* from, int64_t from_stride, uint16_t* to, int64_t to_stride, int64_t rows,
                    int64_t columns) {
  transpose_blocks(from, from_stride, to, to_stride, rows, columns);
}
void transpose_tile(const uint32_t* from, int64_t from_stride, uint32_t* to, int64_t to_stride, int64_t rows,
                    int64_t columns) {
  transpose(from, from_stride, to, to_stride, rows, columns, transpose_block_32());
}
void transpose_tile(const uint64_t* from, int64_t from_stride, uint64_t* to, int64_t to_stride, int64_t rows,
                    int64_t columns) {
  transpose(from, from_stride, to, to_stride, rows, columns, transpose_block_64());
}
void transpose_tile(const Wide* from, int64_t from_stride, Wide* to, int64_t to_stride, int64_t rows,
                    int64_t columns) {
  transpose_blocks(from, from_stride, to, to_stride, rows, columns);
}

}  // namespace tapegrad::kernels
