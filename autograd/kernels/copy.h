#pragma once

// Copies between arrays of any strides. Internal, not installed.

#include <cstddef>
#include <cstdint>
#include <span>

namespace tapegrad::kernels {

// to[Σ i·to_strides] = from[Σ i·from_strides] for every index i… below sizes; strides in elements of
// `element` bytes (1, 4 or 8), a stride of `from` possibly 0 or negative. No element of `to` may be written
// twice.
void copy_strided(size_t element, std::span<const int64_t> sizes, const void* from,
                  std::span<const int64_t> from_strides, void* to, std::span<const int64_t> to_strides);

// The same into a dense, row-major array.
void copy_strided(size_t element, const void* from, std::span<const int64_t> strides,
                  std::span<const int64_t> sizes, void* to);

// n elements, each with the bytes of *value.
void fill(size_t element, void* to, int64_t n, const void* value);

}  // namespace tapegrad::kernels
