// The hidden layers of MlpLimit: what goes around the products of a batch, and all of a single sample.

#include "autograd/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/limits/mlp_layers.cpp"
#include <hwy/foreach_target.h>

#include "bench/limits/lanes-inl.h"
#include "bench/limits/mlp_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::bench::HWY_NAMESPACE {

using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;
constexpr size_t kLanes = hn::MaxLanes(D());

void bias_relu(float* z, size_t stride, const float* bias, size_t rows, size_t columns) {
  const D d;
  const V zero = hn::Zero(d);
  for (size_t r = 0; r < rows; ++r) {
    float* row = z + r * stride;
    for (size_t i = 0; i < columns; i += kLanes)
      hn::Store(hn::Max(hn::Add(hn::Load(d, row + i), hn::Load(d, bias + i)), zero), d, row + i);
  }
}

void relu_backward(float* dz, const float* a, size_t stride, float* bias, float* sums, size_t rows,
                   size_t columns) {
  const D d;
  const V zero = hn::Zero(d);
  for (size_t i = 0; i < columns; i += kLanes) hn::Store(zero, d, sums + i);
  for (size_t r = 0; r < rows; ++r) {
    float* row = dz + r * stride;
    const float* active = a + r * stride;
    for (size_t i = 0; i < columns; i += kLanes) {
      const V g = hn::IfThenElseZero(hn::Gt(hn::Load(d, active + i), zero), hn::Load(d, row + i));
      hn::Store(g, d, row + i);
      hn::Store(hn::Add(hn::Load(d, sums + i), g), d, sums + i);
    }
  }
  for (size_t i = 0; i < columns; i += kLanes)
    hn::Store(hn::Sub(hn::Load(d, bias + i), hn::Load(d, sums + i)), d, bias + i);
}

template <size_t kRows>
HWY_INLINE void row_forward_tile(const float* x, const float* w, const float* bias, float* z, size_t inputs,
                                 bool relu) {
  float out[kRows][1];
  dot_tile<kRows, 1>(w, inputs, x, 0, inputs, out);
  for (size_t r = 0; r < kRows; ++r) {
    const float sum = out[r][0] + bias[r];
    z[r] = relu && !(sum > 0.0f) ? 0.0f : sum;
  }
}

void row_forward(const float* x, const float* w, const float* bias, float* z, size_t outputs, size_t inputs,
                 bool relu) {
  constexpr size_t kRows = 8;
  size_t o = 0;
  for (; o + kRows <= outputs; o += kRows)
    row_forward_tile<kRows>(x, w + o * inputs, bias + o, z + o, inputs, relu);
  for (; o < outputs; ++o) row_forward_tile<1>(x, w + o * inputs, bias + o, z + o, inputs, relu);
}

template <size_t kRows, bool kInput>
HWY_INLINE void row_backward_tile(const float* dz, const float* x, float* w, float* to, size_t inputs) {
  const D d;
  V factor[kRows];
#pragma GCC unroll 16
  for (size_t r = 0; r < kRows; ++r) factor[r] = hn::Set(d, dz[r]);
  for (size_t i = 0; i < inputs; i += kLanes) {
    const V a = hn::LoadU(d, x + i);
    V sum = hn::Zero(d);
    if constexpr (kInput) sum = hn::Load(d, to + i);
#pragma GCC unroll 16
    for (size_t r = 0; r < kRows; ++r) {
      const V row = hn::Load(d, w + r * inputs + i);
      if constexpr (kInput) sum = hn::MulAdd(factor[r], row, sum);
      hn::Store(hn::NegMulAdd(factor[r], a, row), d, w + r * inputs + i);
    }
    if constexpr (kInput) hn::Store(sum, d, to + i);
  }
}

template <bool kInput>
HWY_INLINE void row_backward_all(const float* dz, const float* x, float* w, float* to, size_t outputs,
                                 size_t inputs) {
  constexpr size_t kRows = 8;  // rows of w read side by side
  size_t o = outputs;
  for (; o % kRows != 0; --o) row_backward_tile<1, kInput>(dz + o - 1, x, w + (o - 1) * inputs, to, inputs);
  for (; o > 0; o -= kRows)
    row_backward_tile<kRows, kInput>(dz + o - kRows, x, w + (o - kRows) * inputs, to, inputs);
}

void row_backward(const float* dz, const float* x, float* w, float* bias, float* to, size_t outputs,
                  size_t inputs) {
  const D d;
  for (size_t o = 0; o < outputs; ++o) bias[o] -= dz[o];
  if (to == nullptr) return row_backward_all<false>(dz, x, w, nullptr, outputs, inputs);
  for (size_t i = 0; i < inputs; i += kLanes) hn::Store(hn::Zero(d), d, to + i);
  row_backward_all<true>(dz, x, w, to, outputs, inputs);
  for (size_t i = 0; i < inputs; i += kLanes) {
    const auto active = hn::Gt(hn::Load(d, x + i), hn::Zero(d));
    hn::Store(hn::IfThenElseZero(active, hn::Load(d, to + i)), d, to + i);
  }
}

const LayerKernels* layer_table() {
  static constexpr LayerKernels kKernels{bias_relu, relu_backward, row_forward, row_backward};
  return &kKernels;
}

}  // namespace tapegrad::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapegrad::bench {
HWY_EXPORT(layer_table);
const LayerKernels& layer_kernels() { return *HWY_DYNAMIC_DISPATCH(layer_table)(); }
}  // namespace tapegrad::bench
#endif
