#pragma once

// Stable sorting along a dim. Internal, not installed.

#include <cstddef>
#include <cstdint>

#include "autograd/dtype.h"

namespace tapegrad::kernels {

// Bytes of scratch memory that sort needs.
size_t sort_scratch(DType dtype, int64_t outer, int64_t n, int64_t inner);

// Sorts x [outer, n, inner] along n into `values` and says in `indices` where each came from. Equal elements,
// among them −0 and 0, keep their order; NaN counts as largest. float32, float64 and int64. `scratch` is
// aligned to 16 bytes.
void sort(DType dtype, const void* x, void* values, int64_t* indices, int64_t outer, int64_t n, int64_t inner,
          bool descending, void* scratch);

}  // namespace tapegrad::kernels
