#pragma once
#include <cstdint>
#include "autograd/dtype.h"
namespace tapegrad::kernels {
enum class Reduce { sum, mean, amax, amin, logsumexp };
struct Reduction { int rank_kept; int64_t kept[8], kept_stride[8]; int rank_reduced; int64_t reduced[8], reduced_stride[8]; };
void reduce(Reduce kind, DType, const Reduction&, const void* x, void* y);
void max_with_index(DType, const void* x, void* v, int64_t* i, int64_t outer, int64_t n, int64_t inner);
void row_dot(DType, const void* a, const void* b, void* y, int64_t outer, int64_t n);
}
