#pragma once

// The kernels of scalar.h on vector lanes: comparisons, choices, logic and conversions. Internal, not
// installed.

#include "autograd/kernels/scalar.h"

namespace tapegrad::kernels {

// Whether there is a kernel on lanes. Arithmetic of int64 has none, nor has what is the same for every
// number.
constexpr bool scalar_has_lanes(Scalar which, DType dtype) {
  if (which < Scalar::eq || !scalar_takes(which, dtype)) return false;
  const bool classifies = which == Scalar::isnan || which == Scalar::isinf || which == Scalar::isfinite;
  return !classifies || is_floating(dtype);
}

// That kernel for the target in use, for n > 1.
LaneKernel scalar_lanes(Scalar which, DType dtype);

// Converts the first elements, at most n, as `cast` does, and returns how many: whole vectors as far as they
// go. 0 where there is no conversion on lanes. The pointers need the alignment of their elements.
int64_t cast_lanes(DType from, const void* in, DType to, void* out, int64_t n);

// y[i] = mask[i] ? value : x[i] for elements of 1, 4 or 8 bytes, likewise for the first of n.
int64_t masked_fill_lanes(size_t element, const void* x, const void* mask, const void* value, void* y,
                          int64_t n);

}  // namespace tapegrad::kernels
