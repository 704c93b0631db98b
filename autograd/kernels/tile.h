#pragma once

// Matrix transposition. Internal, not installed.

#include <cstdint>

namespace tapegrad::kernels {

// Sixteen bytes moved as one.
struct Wide {
  uint64_t low, high;
};

// to[r·to_stride + c] = from[r + c·from_stride] for r < rows, c < columns, strides in elements.
void transpose_tile(const uint8_t* from, int64_t from_stride, uint8_t* to, int64_t to_stride, int64_t rows,
                    int64_t columns);
void transpose_tile(const uint16_t* from, int64_t from_stride, uint16_t* to, int64_t to_stride, int64_t rows,
                    int64_t columns);
void transpose_tile(const uint32_t* from, int64_t from_stride, uint32_t* to, int64_t to_stride, int64_t rows,
                    int64_t columns);
void transpose_tile(const uint64_t* from, int64_t from_stride, uint64_t* to, int64_t to_stride, int64_t rows,
                    int64_t columns);
void transpose_tile(const Wide* from, int64_t from_stride, Wide* to, int64_t to_stride, int64_t rows,
                    int64_t columns);

}  // namespace tapegrad::kernels
