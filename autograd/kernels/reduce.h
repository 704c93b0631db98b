#pragma once

// Reductions. Internal, not installed.

#include <cstdint>

#include "autograd/dtype.h"

namespace tapegrad::kernels {

// sum takes float32, float64 and int64, the others float32 and float64. NaN wins in amax and amin, which need
// an element; without one sum gives 0, mean NaN and logsumexp −inf.
enum class Reduce : uint8_t { sum, mean, amax, amin, logsumexp };

// A dense tensor's dims, those that stay and those that go, each in order of falling stride; strides in
// elements.
struct Reduction {
  int rank_kept;
  int64_t kept[8], kept_stride[8];
  int rank_reduced;
  int64_t reduced[8], reduced_stride[8];
};

// y, dense over the kept dims, from x. A sum of n elements is off by at most (log2 n + 8)·u·Σ|x|: blocks on
// vector lanes, and a pairwise tree above them whose form depends on the shape alone.
void reduce(Reduce kind, DType dtype, const Reduction& shape, const void* x, void* y);

// The largest of x [outer, n, inner] along n, n ≥ 1, and where it occurs first; the first NaN wins. `values`
// may be null. float32 and float64.
void max_with_index(DType dtype, const void* x, void* values, int64_t* indices, int64_t outer, int64_t n,
                    int64_t inner);

// y[r] = Σ a[r, i]·b[r, i] with the error bound of a sum.
void row_dot(DType dtype, const void* a, const void* b, void* y, int64_t rows, int64_t n);

}  // namespace tapegrad::kernels
