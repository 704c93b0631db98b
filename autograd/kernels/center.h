#pragma once

// Offsets from the mean. Internal, not installed. float32 and float64.

#include <cstdint>

#include "autograd/dtype.h"

namespace tapegrad::kernels {

// y = g·factor·(x − mean of x along n) for x [outer, n, inner] and g [outer, 1, inner]; 0 where g is 0, also
// where the factor is not finite.
void scaled_offsets(DType dtype, const void* g, const void* x, double factor, void* y, int64_t outer,
                    int64_t n, int64_t inner);

}  // namespace tapegrad::kernels
