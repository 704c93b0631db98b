#pragma once

// Matrix products on vector lanes, without packing of whole operands: for shapes, or processors, that a BLAS
// is slow at. Internal.

#include <cstdint>

#include "autograd/dtype.h"
#include "autograd/kernels/gemm.h"

namespace tapegrad::kernels {

// A part of c: the rows [row, row_end) by the columns [column, column_end).
struct GemmPart {
  int64_t row = 0, row_end = 0, column = 0, column_end = 0;
};

// How many columns of c are computed together; parts that start at multiples of it waste nothing.
inline constexpr int64_t kGemmColumns = 64;

// One part of one matrix (batch and strides of the shape are not used). Any m, n; k >= 1. Each element of c
// is one chain of multiply-adds in order of k, started from the bias, whatever the part. With alpha, an
// element, and no bias: c += alpha·op(a)·op(b), where c is rounded once for every 128 steps of k.
void gemm_small(DType dtype, const Gemm& shape, const GemmPart& part, const void* a, const void* b,
                const void* bias, void* c, const void* alpha = nullptr);

// Whether vectors are so wide, and registers so many, that large products run here as well: with AVX-512 at
// 0.7 to 0.9 of the peak up to 4096 × 4096 × 4096 in float32, where Debian's OpenBLAS has 0.48.
bool gemm_leads();

// y[r] = Σ_k matrix[r, k]·x[k] + bias[r·bias_step] for r in [begin, end); the matrix has `columns` columns.
// `padded`: y + begin is aligned to 64 bytes, and so much behind y[end] may be written as is left of them.
void dot_rows(DType dtype, const void* matrix, int64_t columns, const void* x, const void* bias,
              int64_t bias_step, void* y, int64_t begin, int64_t end, bool padded);

// y[j] = Σ_r x[r]·matrix[r, j] + bias[j·bias_step] for j in [begin, end); the matrix is [rows, columns].
void add_rows(DType dtype, const void* matrix, int64_t rows, int64_t columns, const void* x, const void* bias,
              int64_t bias_step, void* y, int64_t begin, int64_t end);

// c[i, j] = x[i]·y[j] + bias[j] for i in [begin, end), j in [0, columns).
void outer_product(DType dtype, const void* x, const void* y, const void* bias, int64_t columns, void* c,
                   int64_t begin, int64_t end);

// to[i, j] = (x[i]·y[j])·factor + from[i, j], each operation rounded; `from_zero`: x[i]·y[j] is added to 0
// first. `to` may be `from`. `readable` elements of both may be read and written.
void move_along_outer(DType dtype, const void* x, const void* y, const void* factor, bool from_zero,
                      int64_t columns, const void* from, void* to, int64_t begin, int64_t end,
                      int64_t readable);

// Both in one pass over the matrix [rows, columns]: y as add_rows gives it without a bias, with `left` as its
// x, and the matrix moved along left·right as move_along_outer does it.
void add_rows_and_move(DType dtype, const void* from, int64_t rows, int64_t columns, const void* left,
                       void* y, const void* right, const void* factor, bool from_zero, void* to);

}  // namespace tapegrad::kernels
