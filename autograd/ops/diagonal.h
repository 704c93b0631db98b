#pragma once

// Internal, not installed.

#include "autograd/arg.h"

namespace tapegrad::ops {

// Zeros of that shape with g on the diagonal with index along dim2 = index along dim1: the gradient of
// diagonal.
Tensor diagonal_backward(const Arg& g, const Shape& shape, int64_t dim1, int64_t dim2);

}  // namespace tapegrad::ops
