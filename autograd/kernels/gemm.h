#pragma once

// Matrix products. Internal, not installed.

#include <cstdint>

#include "autograd/dtype.h"

namespace tapegrad::kernels {

// c = op(a)·op(b), `batch` times: op(a) is [m, k], op(b) is [k, n], c is [m, n], all row-major and
// contiguous. A transposed operand is stored the other way round: a as [k, m], b as [n, k].
struct Gemm {
  int64_t m = 0, n = 0, k = 0;
  bool transpose_a = false, transpose_b = false;
  int64_t batch = 1;
  // Elements from one matrix of the batch to the next; 0: all share one. With batch > 1 the c must not
  // overlap.
  int64_t stride_a = 0, stride_b = 0, stride_c = 0;
};

// Overwrites c with the product, plus bias [n] on each row unless it is null; k = 0 gives the bias, or zeros.
// c must not overlap the operands. NaN and infinities follow IEEE arithmetic: nothing is skipped.
//
// float32 and float64 only. Which kernel runs, and how the work is cut, follows from the shape and the dtype
// alone, so the result has the same bits for any number of threads. Large products run on the CBLAS, one
// thread per tile; at the first of them OpenBLAS, where it is what is linked, is set to one thread for the
// whole process.
void gemm(DType dtype, const Gemm& shape, const void* a, const void* b, const void* bias, void* c);

// The same by three plain loops, each sum in order of k in float64. For tests.
void gemm_reference(DType dtype, const Gemm& shape, const void* a, const void* b, const void* bias, void* c);

}  // namespace tapegrad::kernels
