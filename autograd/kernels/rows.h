#pragma once

// The softmax family along n of [outer, n, inner]. Internal, not installed. float32 and float64.

#include <cstdint>

#include "autograd/dtype.h"

namespace tapegrad::kernels {

// e^x / Σ e^x and x − ln Σ e^x, shifted by the largest. An entry of −inf gives 0 and −inf; all of them NaN.
void softmax(DType dtype, const void* x, void* y, int64_t outer, int64_t n, int64_t inner);
void log_softmax(DType dtype, const void* x, void* y, int64_t outer, int64_t n, int64_t inner);

// y·(g − Σ g·y), with y the softmax.
void softmax_backward(DType dtype, const void* g, const void* y, void* dx, int64_t outer, int64_t n,
                      int64_t inner);
// g − e^y·Σ g, with y the log-softmax.
void log_softmax_backward(DType dtype, const void* g, const void* y, void* dx, int64_t outer, int64_t n,
                          int64_t inner);

// ln Σ e^x of one dense row of n ≥ 1 entries, as the sum of its largest entry and the rest.
struct LogSum {
  double largest, log_sum;
};
LogSum row_log_sum_exp(DType dtype, const void* x, int64_t n);

// loss[r] = ln Σ e^logits[r] − logits[r, target[r]], and 0 where the target is ignore_index; the others lie
// in [0, classes).
void cross_entropy_rows(DType dtype, const void* logits, const int64_t* target, int64_t ignore_index,
                        void* loss, int64_t rows, int64_t classes);
// dx[r] = scale[r·step]·(softmax(logits[r]) − onehot(target[r])), and 0 where the target is ignore_index;
// step is 1 or 0.
void cross_entropy_rows_backward(DType dtype, const void* logits, const int64_t* target, int64_t ignore_index,
                                 const void* scale, int64_t step, void* dx, int64_t rows, int64_t classes);

}  // namespace tapegrad::kernels
