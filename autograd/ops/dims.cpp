#include "autograd/ops/dims.h"

#include <fmt/format.h>

#include <algorithm>

#include "autograd/ops.h"

namespace tapegrad::ops {

Dims resolve_dims(const Call& call, const std::optional<Dims>& dims, int rank) {
  bool reduced[kMaxRank] = {};
  if (!dims) std::fill(reduced, reduced + rank, true);
  if (dims) {
    for (int64_t d : *dims) {
      // A 0-d tensor may be reduced over its "last" dim, as in PyTorch.
      if (rank == 0 && (d == 0 || d == -1)) continue;
      const int at = call.dim(d, rank);
      if (reduced[at]) call.argument_error(fmt::format("dimension {} is listed twice", d));
      reduced[at] = true;
    }
  }
  Dims result;
  for (int d = 0; d < rank; ++d) {
    if (reduced[d]) result.push_back(d);
  }
  return result;
}

Shape reduced_shape(const Shape& shape, const Dims& dims, bool keepdim) {
  Dims result;
  for (int d = 0; d < shape.rank(); ++d) {
    if (!dims.contains(d)) {
      result.push_back(shape[d]);
    } else if (keepdim) {
      result.push_back(1);
    }
  }
  return Shape(result);
}

Along along(const Shape& shape, int dim) {
  Along a;
  for (int d = 0; d < shape.rank(); ++d) (d < dim ? a.outer : d == dim ? a.n : a.inner) *= shape[d];
  return a;
}

int resolve_dim(const Call& call, int64_t dim, int i) { return call.dim(dim, std::max(1, call.rank(i))); }

Dims dense_strides(const Shape& shape) {
  Dims strides = shape;
  int64_t stride = 1;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    strides[d] = stride;
    stride *= shape[d];
  }
  return strides;
}

Shape checked_shape(const Call& call, const Dims& sizes) {
  int64_t numel = 1;
  bool overflow = false;
  for (int64_t size : sizes) {
    if (size < 0) call.shape_error(fmt::format("negative size {} in [{}]", size, fmt::join(sizes, ", ")));
    overflow |= __builtin_mul_overflow(numel, std::max<int64_t>(size, 1), &numel);
  }
  // As in Shape: room for 8 bytes an element and a header.
  if (overflow || numel > (INT64_MAX >> 4)) {
    call.shape_error(fmt::format("element count of [{}]: overflow", fmt::join(sizes, ", ")));
  }
  return Shape(sizes);
}

Cost copy_cost(const Call& call) { return {0, 2.0 * static_cast<double>(call.out().bytes())}; }

Tensor unreduce(const Arg& y, const Shape& x, const std::optional<Dims>& dims) {
  Dims shape = x;
  if (!dims) {
    for (int d = 0; d < x.rank(); ++d) shape[d] = 1;
  } else {
    for (int64_t d : *dims) {
      if (x.rank() > 0) shape[static_cast<int>(d < 0 ? d + x.rank() : d)] = 1;
    }
  }
  return reshape(y, shape);
}

}  // namespace tapegrad::ops
