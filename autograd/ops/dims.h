#pragma once

// Dims as reductions and other ops along dims see them. Internal, not installed.

#include <optional>

#include "autograd/apply.h"

namespace tapegrad::ops {

// The dims to reduce, each in [0, rank), in order; absent: all of them.
// Throws IndexError outside the rank and ArgumentError for one listed twice.
Dims resolve_dims(const Call& call, const std::optional<Dims>& dims, int rank);

// `shape` without the dims, or with size 1 there.
Shape reduced_shape(const Shape& shape, const Dims& dims, bool keepdim);

// A 0-d tensor counts as one dim of size 1 for ops along one dim.
struct Along {
  int64_t outer = 1, n = 1, inner = 1;
};
Along along(const Shape& shape, int dim);
int resolve_dim(const Call& call, int64_t dim, int i = 0);

// Row-major strides in elements, also along dims of size 1.
Dims dense_strides(const Shape& shape);

// The sizes as a shape; throws ShapeError for a negative size or an element count that overflows.
Shape checked_shape(const Call& call, const Dims& sizes);

// Bytes of an op that reads and writes each element of its result once.
Cost copy_cost(const Call& call);

// y (reduced over dims, in either form) seen with the rank of x, so that it broadcasts against it.
Tensor unreduce(const Arg& y, const Shape& x, const std::optional<Dims>& dims);

}  // namespace tapegrad::ops
