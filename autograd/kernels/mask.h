#pragma once

// Elements replaced where a mask says. Internal, not installed.

#include <cstddef>
#include <cstdint>
#include <span>

namespace tapegrad::kernels {

// y, dense, = mask ? *value : x, where x and mask have strides in elements, possibly 0. Elements of 1, 4 or 8
// bytes.
void masked_fill(size_t element, std::span<const int64_t> sizes, const void* x,
                 std::span<const int64_t> x_strides, const bool* mask, std::span<const int64_t> mask_strides,
                 const void* value, void* y);

}  // namespace tapegrad::kernels
