#pragma once

// Reductions. Internal, not installed.

#include <cstdint>

#include "autograd/dtype.h"

namespace tapegrad::kernels {

// Of float32 and float64; sum, amax, amin and prod also of int64, where sum and prod wrap around. NaN wins in
// amax and amin, which need an element. Without one sum gives 0, mean NaN, prod 1, logsumexp −inf, var and
// std NaN, and a norm 0.
enum class Reduce : uint8_t {
  sum,
  mean,
  amax,
  amin,
  prod,       // in float64
  logsumexp,  // ln Σ e^x, exact to 2 units in the last place where the largest and the logarithm do not
              // cancel
  var,        // Σ (x − mean)² / max(0, n − parameter), from offsets of near elements' mean
  std,        // its root
  norm        // (Σ |x|^parameter)^(1/parameter), never over- or underflowing on the way; for 0 the number of
              // elements other than 0, for ±inf the largest and the smallest magnitude
};

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
void reduce(Reduce kind, DType dtype, const Reduction& shape, const void* x, void* y, double parameter = 0);

// The largest, or smallest, of x [outer, n, inner] along n, n ≥ 1, and where it occurs first; the first NaN
// wins. `values` may be null. float32, float64 and int64.
void extreme_with_index(bool largest, DType dtype, const void* x, void* values, int64_t* indices,
                        int64_t outer, int64_t n, int64_t inner);

// y[r] = Σ a[r, i]·b[r, i] with the error bound of a sum.
void row_dot(DType dtype, const void* a, const void* b, void* y, int64_t rows, int64_t n);

}  // namespace tapegrad::kernels
