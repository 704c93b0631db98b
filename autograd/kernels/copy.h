#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tapegrad::kernels {

// Writes a dense, row-major array of `sizes` whose element at index i… is from[Σ i·strides], strides in
// elements of `element` bytes and possibly 0 or negative. Neighbouring dims that form one run are joined
// first.
void copy_strided(size_t element, const void* from, std::span<const int64_t> strides,
                  std::span<const int64_t> sizes, void* to);

}  // namespace tapegrad::kernels
