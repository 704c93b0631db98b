// Matrix-vector products.

#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/gemm_small.h"
#include "autograd/kernels/simd_targets.h"

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/gemv.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/gemv-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {
namespace {

// Functions by type, for the tables.
HWY_ATTR void dots_float(const void* matrix, int64_t columns, const void* x, const void* bias,
                         int64_t bias_step, void* y, int64_t begin, int64_t end, bool padded) {
  dots<float>(matrix, columns, x, bias, bias_step, y, begin, end, padded);
}
HWY_ATTR void dots_double(const void* matrix, int64_t columns, const void* x, const void* bias,
                          int64_t bias_step, void* y, int64_t begin, int64_t end, bool padded) {
  dots<double>(matrix, columns, x, bias, bias_step, y, begin, end, padded);
}
HWY_ATTR void adds_float(const void* matrix, int64_t rows, int64_t columns, const void* x, const void* bias,
                         int64_t bias_step, void* y, int64_t begin, int64_t end) {
  adds<float>(matrix, rows, columns, x, bias, bias_step, y, begin, end);
}
HWY_ATTR void adds_double(const void* matrix, int64_t rows, int64_t columns, const void* x, const void* bias,
                          int64_t bias_step, void* y, int64_t begin, int64_t end) {
  adds<double>(matrix, rows, columns, x, bias, bias_step, y, begin, end);
}

}  // namespace
}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tapegrad::kernels {

HWY_EXPORT(dots_float);
HWY_EXPORT(dots_double);
HWY_EXPORT(adds_float);
HWY_EXPORT(adds_double);

void dot_rows(DType dtype, const void* matrix, int64_t columns, const void* x, const void* bias,
              int64_t bias_step, void* y, int64_t begin, int64_t end, bool padded) {
  const auto* table =
      dtype == DType::float32 ? HWY_DISPATCH_TABLE(dots_float) : HWY_DISPATCH_TABLE(dots_double);
  target(table)(matrix, columns, x, bias, bias_step, y, begin, end, padded);
}

void add_rows(DType dtype, const void* matrix, int64_t rows, int64_t columns, const void* x, const void* bias,
              int64_t bias_step, void* y, int64_t begin, int64_t end) {
  const auto* table =
      dtype == DType::float32 ? HWY_DISPATCH_TABLE(adds_float) : HWY_DISPATCH_TABLE(adds_double);
  target(table)(matrix, rows, columns, x, bias, bias_step, y, begin, end);
}

}  // namespace tapegrad::kernels

#endif
