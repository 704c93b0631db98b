#pragma once

// A number of the options as an element. Internal, not installed.

#include "autograd/apply.h"

namespace tapegrad::ops {

// The bytes of `value` as an element of that dtype, the first ones of the result. Rounds for float32; throws
// DTypeError for a number that is no int64 or, beside bool, not 0 or 1.
uint64_t element_of(const Call& call, DType dtype, double value);

}  // namespace tapegrad::ops
