#pragma once

// The most arithmetic that a thread can do. Internal, not installed.

#include <cstdint>

#include "autograd/dtype.h"

namespace tapegrad::kernels {

// Ten independent chains of vector multiply-adds between registers, `rounds` long. Returns the flops done.
// float32 and float64.
double multiply_adds(DType dtype, int64_t rounds);

}  // namespace tapegrad::kernels
