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
  // c starts at a multiple of 64 bytes, and what lies behind it up to the next one may be written, as in a
  // tensor of more than one element.
  bool padded = false;
};

// Overwrites c with the product, plus bias [n] on each row unless it is null; k = 0 gives the bias, or zeros.
// c must not overlap the operands. NaN and infinities follow IEEE arithmetic: nothing is skipped.
//
// float32 and float64 only. Which kernel runs, and how the work is cut, follows on one processor from the
// shape and the dtype alone, so the result has the same bits for any number of threads. Large products run on
// the CBLAS, one thread per tile, but with AVX-512 only those of more than 4096 steps of k; at the first of
// them OpenBLAS, where it is what is linked, is set to one thread for the whole process.
void gemm(DType dtype, const Gemm& shape, const void* a, const void* b, const void* bias, void* c);

// The product in slices, each with the bits it has in the whole: the rows of c or, where c has one row, its
// elements. 0: a product that cannot be cut that way.
int64_t gemm_slices(const Gemm& shape);
// The slices [begin, end) to c, where the first of them goes. Runs on the calling thread.
void gemm_slice(DType dtype, const Gemm& shape, int64_t begin, int64_t end, const void* a, const void* b,
                const void* bias, void* c);
// How many slices to compute at a time so that what is done with them next finds them in the cache, at most
// `bytes` of them: a multiple of 64 bytes. 0: no number of slices will do.
int64_t gemm_slices_at_once(DType dtype, const Gemm& shape, int64_t bytes);
// How many of the parts of that size a thread takes; all of them where it is not worth another thread.
int64_t gemm_grain(const Gemm& shape, int64_t slices_at_once);

// to = c·factor + from for the product c of two vectors (k = 1, no batch), with the bits of gemm and a
// rounding after each operation. `to` may be `from`.
void gemm_move(DType dtype, const Gemm& shape, const void* a, const void* b, const void* factor,
               const void* from, void* to);

// True for a row by a matrix b where b can be moved along the product of a and another row in the same pass.
bool gemm_moves_too(const Gemm& shape);

// The product, or the step along it, as one of the calls that run_direct runs, where it is small and of a
// vector; else false. Fills in kind, sizes and flag; `swapped`: the matrix is b and the vector a, or, in a
// step, left is b and right a.
struct DirectOp;
bool gemm_as_direct(const Gemm& shape, DirectOp& op, bool& swapped);
void gemm_and_move_as_direct(const Gemm& shape, DirectOp& op);  // of a shape that gemm_moves_too
bool gemm_move_as_direct(DType dtype, const Gemm& shape, DirectOp& op, bool& swapped);

// True for a large product, which can be added to what c holds.
bool gemm_accumulates(const Gemm& shape);
// c += alpha·op(a)·op(b) for such a product; alpha is an element. Each element is off by at most
// (k + 3)·u·|alpha|·Σ|a·b| + (k / 128 + 1)·u·|c|.
void gemm_accumulate(DType dtype, const Gemm& shape, const void* a, const void* b, const void* alpha,
                     void* c);

// gemm by three plain loops, each sum in order of k in float64. For tests.
void gemm_reference(DType dtype, const Gemm& shape, const void* a, const void* b, const void* bias, void* c);

}  // namespace tapegrad::kernels
