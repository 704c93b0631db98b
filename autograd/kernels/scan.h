#pragma once

// Running sums and products along n of [outer, n, inner]. Internal, not installed.

#include <cstdint>

#include "autograd/dtype.h"

namespace tapegrad::kernels {

enum class Scan : uint8_t {
  sum,          // Σ a; compensated, so off by u·|y| and a few n·u²·Σ|a|
  product,      // Π a
  log_sum_exp,  // ln Σ e^a, by the largest so far; −inf where all are
  linear        // y_i = b_i + a_i·y_{i−1}, from 0
};

// Tensors seen as [outer, n, inner], walked along n, with `reverse` from the last to the first.
struct ScanShape {
  int64_t outer, n, inner;
  bool reverse;
};

// float32 and float64, in float64 throughout; sum and product also int64, which wrap around. b is read by
// linear alone.
void scan(Scan kind, DType dtype, const ScanShape& shape, const void* a, const void* b, void* y);

// dx_i = g·Π_{j≠i} x_j with one g [outer, 1, inner] for each product: no division, so right with zeros.
void product_backward(DType dtype, const ScanShape& shape, const void* g, const void* x, void* dx);

// dx_i = Σ_{k≥i} g_k·Π_{j≤k, j≠i} x_j (k ≤ i and j ≥ k with `reverse`), likewise.
void running_product_backward(DType dtype, const ScanShape& shape, const void* g, const void* x, void* dx);

}  // namespace tapegrad::kernels
