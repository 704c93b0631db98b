#pragma once

// Sums of the columns of a matrix. Internal, not installed.

#include <cstdint>

#include "autograd/dtype.h"

namespace tapegrad::kernels {

// y[j] = Σ_r x[r, j] of x [rows, columns], dense; float32 and float64. Summed in float64 by four chains, so a
// sum of float32 is rounded once and one of float64 is off by at most (rows/4 + 3)·u·Σ|x|. The same bits for
// any number of threads.
void column_sums(DType dtype, const void* x, int64_t rows, int64_t columns, void* y);

}  // namespace tapegrad::kernels
