#pragma once

// The product of two vectors. Internal, not installed.

#include <cstdint>

#include "autograd/dtype.h"

namespace tapegrad::kernels {

// *y = Σ a[i]·b[i] with the error bound of a sum, cut into pieces by n alone. float32 and float64.
void dot(DType dtype, const void* a, const void* b, int64_t n, void* y);

}  // namespace tapegrad::kernels
