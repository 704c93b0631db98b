#pragma once
#include <cstdint>
#include "autograd/dtype.h"
namespace tapegrad::kernels {
void softmax(DType, const void* x, void* y, int64_t outer, int64_t n, int64_t inner);
void log_softmax(DType, const void* x, void* y, int64_t outer, int64_t n, int64_t inner);
void softmax_backward(DType, const void* g, const void* y, void* dx, int64_t outer, int64_t n, int64_t inner);
void log_softmax_backward(DType, const void* g, const void* y, void* dx, int64_t outer, int64_t n, int64_t inner);
void cross_entropy_rows(DType, const void* logits, const int64_t* t, void* loss, int64_t rows, int64_t classes);
void cross_entropy_rows_backward(DType, const void* logits, const int64_t* t, const void* scale, void* dx, int64_t rows, int64_t classes);
}
