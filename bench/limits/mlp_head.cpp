// The last layer of MlpLimit, too narrow for BLAS, with the loss.

#include <cmath>

#include "autograd/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/limits/mlp_head.cpp"
#include <hwy/foreach_target.h>

#include "bench/limits/lanes-inl.h"
#include "bench/limits/mlp_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::bench::HWY_NAMESPACE {

using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;
constexpr size_t kLanes = hn::MaxLanes(D());

template <size_t kRows, size_t kColumns>
HWY_INLINE void head_tile(const float* a, size_t stride, const float* w, const float* bias, float* z,
                          size_t inputs) {
  float out[kRows][kColumns];
  dot_tile<kRows, kColumns>(a, stride, w, inputs, inputs, out);
  for (size_t r = 0; r < kRows; ++r)
    for (size_t c = 0; c < kColumns; ++c) z[r * kHeadStride + c] = out[r][c] + bias[c];
}

void head_forward(const float* a, size_t stride, const float* w, const float* bias, float* z, size_t rows,
                  size_t inputs, size_t outputs) {
  for (size_t r = 0; r < rows;) {
    const size_t step = r + 2 <= rows ? 2 : 1;
    for (size_t o = 0; o < outputs;) {
      const float* left = a + r * stride;
      const float* right = w + o * inputs;
      float* to = z + r * kHeadStride + o;
      const bool wide = o + 5 <= outputs;
      if (step == 2 && wide) head_tile<2, 5>(left, stride, right, bias + o, to, inputs);
      if (step == 2 && !wide) head_tile<2, 1>(left, stride, right, bias + o, to, inputs);
      if (step == 1 && wide) head_tile<1, 5>(left, stride, right, bias + o, to, inputs);
      if (step == 1 && !wide) head_tile<1, 1>(left, stride, right, bias + o, to, inputs);
      o += wide ? 5 : 1;
    }
    r += step;
  }
}

float cross_entropy(float* z, const int64_t* target, size_t rows, size_t outputs, float rate) {
  const D d;
  constexpr size_t kVectors = kHeadStride / kLanes;
  const float scale = rate / static_cast<float>(rows);
  const V lowest = hn::Set(d, -3.0e38f);
  double loss = 0.0;
  for (size_t r = 0; r < rows; ++r) {
    float* row = z + r * kHeadStride;
    const float wanted = row[target[r]];
    V x[kVectors], sum = hn::Zero(d), largest = lowest;
#pragma GCC unroll 16
    for (size_t k = 0; k < kVectors; ++k) {
      const auto used =
          hn::Lt(hn::Iota(d, static_cast<float>(k * kLanes)), hn::Set(d, static_cast<float>(outputs)));
      x[k] = hn::IfThenElse(used, hn::Load(d, row + k * kLanes), lowest);
      largest = hn::Max(largest, x[k]);
    }
    largest = hn::MaxOfLanes(d, largest);
#pragma GCC unroll 16
    for (size_t k = 0; k < kVectors; ++k) {
      const auto used = hn::Gt(x[k], lowest);
      x[k] = hn::IfThenElseZero(used, exp_lanes(d, hn::Sub(x[k], largest)));
      sum = hn::Add(sum, x[k]);
    }
    sum = hn::SumOfLanes(d, sum);
    const V factor = hn::Div(hn::Set(d, scale), sum);
#pragma GCC unroll 16
    for (size_t k = 0; k < kVectors; ++k) hn::Store(hn::Mul(x[k], factor), d, row + k * kLanes);
    row[target[r]] -= scale;
    loss += static_cast<double>(std::log(hn::GetLane(sum)) + hn::GetLane(largest) - wanted);
  }
  return static_cast<float>(loss / static_cast<double>(rows));
}

template <size_t kRows>
HWY_INLINE void head_backward_rows(const float* dz, const float* w, const float* a, float* to, size_t stride,
                                   size_t inputs, size_t outputs) {
  const D d;
  for (size_t i = 0; i < inputs; i += 16) {
    constexpr size_t kVectors = 16 / kLanes;
    V sums[kRows][kVectors];
#pragma GCC unroll 16
    for (size_t r = 0; r < kRows; ++r)
#pragma GCC unroll 16
      for (size_t k = 0; k < kVectors; ++k) sums[r][k] = hn::Zero(d);
    for (size_t o = 0; o < outputs; ++o) {
#pragma GCC unroll 16
      for (size_t k = 0; k < kVectors; ++k) {
        const V row = hn::Load(d, w + o * inputs + i + k * kLanes);
#pragma GCC unroll 16
        for (size_t r = 0; r < kRows; ++r)
          sums[r][k] = hn::MulAdd(hn::Set(d, dz[r * kHeadStride + o]), row, sums[r][k]);
      }
    }
#pragma GCC unroll 16
    for (size_t r = 0; r < kRows; ++r)
#pragma GCC unroll 16
      for (size_t k = 0; k < kVectors; ++k) {
        const size_t at = r * stride + i + k * kLanes;
        hn::Store(hn::IfThenElseZero(hn::Gt(hn::Load(d, a + at), hn::Zero(d)), sums[r][k]), d, to + at);
      }
  }
}

void head_backward(const float* dz, const float* w, const float* a, float* to, size_t stride, size_t rows,
                   size_t inputs, size_t outputs) {
  size_t r = 0;
  for (; r + 4 <= rows; r += 4)
    head_backward_rows<4>(dz + r * kHeadStride, w, a + r * stride, to + r * stride, stride, inputs, outputs);
  for (; r < rows; ++r)
    head_backward_rows<1>(dz + r * kHeadStride, w, a + r * stride, to + r * stride, stride, inputs, outputs);
}

template <size_t kOutputs>
HWY_INLINE void head_update_tile(const float* dz, const float* a, size_t stride, float* w, size_t rows,
                                 size_t inputs) {
  const D d;
  constexpr size_t kVectors = 16 / kLanes;
  for (size_t i = 0; i < inputs; i += 16) {
    V sums[kOutputs][kVectors];
#pragma GCC unroll 16
    for (size_t o = 0; o < kOutputs; ++o)
#pragma GCC unroll 16
      for (size_t k = 0; k < kVectors; ++k) sums[o][k] = hn::Zero(d);
    for (size_t r = 0; r < rows; ++r) {
#pragma GCC unroll 16
      for (size_t k = 0; k < kVectors; ++k) {
        const V row = hn::Load(d, a + r * stride + i + k * kLanes);
#pragma GCC unroll 16
        for (size_t o = 0; o < kOutputs; ++o)
          sums[o][k] = hn::MulAdd(hn::Set(d, dz[r * kHeadStride + o]), row, sums[o][k]);
      }
    }
#pragma GCC unroll 16
    for (size_t o = 0; o < kOutputs; ++o)
#pragma GCC unroll 16
      for (size_t k = 0; k < kVectors; ++k) {
        float* to = w + o * inputs + i + k * kLanes;
        hn::Store(hn::Sub(hn::Load(d, to), sums[o][k]), d, to);
      }
  }
}

void head_update(const float* dz, const float* a, size_t stride, float* w, float* bias, size_t rows,
                 size_t inputs, size_t outputs) {
  constexpr size_t kBlock = 32;  // rows of a that stay in the second cache while all outputs pass over them
  for (size_t r = 0; r < rows; r += kBlock) {
    const size_t count = rows - r < kBlock ? rows - r : kBlock;
    const float* from = dz + r * kHeadStride;
    size_t o = 0;
    for (; o + 5 <= outputs; o += 5)
      head_update_tile<5>(from + o, a + r * stride, stride, w + o * inputs, count, inputs);
    for (; o < outputs; ++o)
      head_update_tile<1>(from + o, a + r * stride, stride, w + o * inputs, count, inputs);
  }
  const D d;
  HWY_ALIGN float sums[kHeadStride];
  for (size_t k = 0; k < kHeadStride; k += kLanes) {
    V sum = hn::Zero(d);
    for (size_t r = 0; r < rows; ++r) sum = hn::Add(sum, hn::Load(d, dz + r * kHeadStride + k));
    hn::Store(sum, d, sums + k);
  }
  for (size_t o = 0; o < outputs; ++o) bias[o] -= sums[o];
}

const HeadKernels* head_table() {
  static constexpr HeadKernels kKernels{head_forward, cross_entropy, head_backward, head_update};
  return &kKernels;
}

}  // namespace tapegrad::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapegrad::bench {
HWY_EXPORT(head_table);
const HeadKernels& head_kernels() { return *HWY_DYNAMIC_DISPATCH(head_table)(); }
}  // namespace tapegrad::bench
#endif
