// One training step of 2-16-16-1 on a batch of 64: rows of 16 activations, four samples at a time in
// registers.

#include "autograd/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/limits/small_batch.cpp"
#include <hwy/foreach_target.h>

#include "bench/limits/lanes-inl.h"
#include "bench/limits/tiny.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::bench::HWY_NAMESPACE {

using D16 = hn::CappedTag<float, 16>;
using V16 = hn::Vec<D16>;
constexpr size_t kLanes = hn::MaxLanes(D16());
constexpr size_t kVectors = 16 / kLanes;
constexpr size_t kRows = 4;  // rows worked on at once: 4 x 2 sums of 8 lanes keep two multiply-adds busy

// sums[r][k] += sum over j < 16 of left[r * row_stride + j * stride] * right[j][k]: four rows of a product
// with a 16-column matrix.
HWY_INLINE void accumulate(const float* left, size_t row_stride, size_t stride, size_t count,
                           const float* right, V16 (&sums)[kRows][kVectors]) {
  const D16 d;
  for (size_t j = 0; j < count; ++j) {
    V16 row[kVectors];
#pragma GCC unroll 16
    for (size_t k = 0; k < kVectors; ++k) row[k] = hn::Load(d, right + 16 * j + k * kLanes);
#pragma GCC unroll 4
    for (size_t r = 0; r < kRows; ++r) {
      const V16 factor = hn::Set(d, left[r * row_stride + j * stride]);
#pragma GCC unroll 16
      for (size_t k = 0; k < kVectors; ++k) sums[r][k] = hn::MulAdd(factor, row[k], sums[r][k]);
    }
  }
}

float small_batch_step(SmallState& s, SmallBatch& b, const float* x, const float* target) {
  const D16 d;
  const V16 one = hn::Set(d, 1.0f), zero = hn::Zero(d);
  for (size_t i = 0; i < 16; ++i)
    for (size_t j = 0; j < 16; ++j) s.weight2_by_output[i][j] = s.weight2_by_input[j][i];

  V16 weight1[2][kVectors], bias1[kVectors];
#pragma GCC unroll 16
  for (size_t k = 0; k < kVectors; ++k) {
    weight1[0][k] = hn::Load(d, s.weight1[0] + k * kLanes);
    weight1[1][k] = hn::Load(d, s.weight1[1] + k * kLanes);
    bias1[k] = hn::Load(d, s.bias1 + k * kLanes);
  }
  for (size_t n = 0; n < SmallBatch::kSize; ++n) {
    const V16 x0 = hn::Set(d, x[2 * n]), x1 = hn::Set(d, x[2 * n + 1]);
#pragma GCC unroll 16
    for (size_t k = 0; k < kVectors; ++k) {
      const V16 z = hn::MulAdd(weight1[1][k], x1, hn::MulAdd(weight1[0][k], x0, bias1[k]));
      hn::Store(tanh_lanes(d, z), d, b.a1[n] + k * kLanes);
    }
  }

  // Second and third layer, the loss, and the derivative at the second layer's sums, times the rate.
  const float scale = 2.0f * s.rate / static_cast<float>(SmallBatch::kSize);
  float loss = 0.0f, move_bias3 = 0.0f;
  V16 move_weight3[kVectors], move_bias2[kVectors];
#pragma GCC unroll 16
  for (size_t k = 0; k < kVectors; ++k) move_weight3[k] = move_bias2[k] = zero;
  for (size_t n = 0; n < SmallBatch::kSize; n += kRows) {
    V16 sums[kRows][kVectors];
#pragma GCC unroll 4
    for (size_t r = 0; r < kRows; ++r)
#pragma GCC unroll 16
      for (size_t k = 0; k < kVectors; ++k) sums[r][k] = hn::Load(d, s.bias2 + k * kLanes);
    accumulate(b.a1[n], 16, 1, 16, s.weight2_by_input[0], sums);
#pragma GCC unroll 4
    for (size_t r = 0; r < kRows; ++r) {
      V16 output = zero;
#pragma GCC unroll 16
      for (size_t k = 0; k < kVectors; ++k) {
        sums[r][k] = tanh_lanes(d, sums[r][k]);
        output = hn::MulAdd(hn::Load(d, s.weight3 + k * kLanes), sums[r][k], output);
      }
      const V16 error = hn::Sub(hn::SumOfLanes(d, output), hn::Set(d, target[n + r] - s.bias3));
      const V16 move = hn::Mul(error, hn::Set(d, scale));
      const float e = hn::GetLane(error);
      loss += e * e;
      move_bias3 += hn::GetLane(move);
#pragma GCC unroll 16
      for (size_t k = 0; k < kVectors; ++k) {
        const V16 a = sums[r][k];
        const V16 slope = hn::NegMulAdd(a, a, one);
        const V16 move2 = hn::Mul(hn::Mul(move, hn::Load(d, s.weight3 + k * kLanes)), slope);
        hn::Store(move2, d, b.move2[n + r] + k * kLanes);
        move_weight3[k] = hn::MulAdd(move, a, move_weight3[k]);
        move_bias2[k] = hn::Add(move_bias2[k], move2);
      }
    }
  }

  // The first layer's derivatives and its update, from the second layer's weights before theirs.
  V16 move_weight1[2][kVectors], move_bias1[kVectors];
#pragma GCC unroll 16
  for (size_t k = 0; k < kVectors; ++k) move_weight1[0][k] = move_weight1[1][k] = move_bias1[k] = zero;
  for (size_t n = 0; n < SmallBatch::kSize; n += kRows) {
    V16 sums[kRows][kVectors];
#pragma GCC unroll 4
    for (size_t r = 0; r < kRows; ++r)
#pragma GCC unroll 16
      for (size_t k = 0; k < kVectors; ++k) sums[r][k] = zero;
    accumulate(b.move2[n], 16, 1, 16, s.weight2_by_output[0], sums);
#pragma GCC unroll 4
    for (size_t r = 0; r < kRows; ++r) {
      const V16 x0 = hn::Set(d, x[2 * (n + r)]), x1 = hn::Set(d, x[2 * (n + r) + 1]);
#pragma GCC unroll 16
      for (size_t k = 0; k < kVectors; ++k) {
        const V16 a = hn::Load(d, b.a1[n + r] + k * kLanes);
        const V16 move1 = hn::Mul(sums[r][k], hn::NegMulAdd(a, a, one));
        move_weight1[0][k] = hn::MulAdd(move1, x0, move_weight1[0][k]);
        move_weight1[1][k] = hn::MulAdd(move1, x1, move_weight1[1][k]);
        move_bias1[k] = hn::Add(move_bias1[k], move1);
      }
    }
  }
#pragma GCC unroll 16
  for (size_t k = 0; k < kVectors; ++k) {
    const size_t i = k * kLanes;
    hn::Store(hn::Sub(weight1[0][k], move_weight1[0][k]), d, s.weight1[0] + i);
    hn::Store(hn::Sub(weight1[1][k], move_weight1[1][k]), d, s.weight1[1] + i);
    hn::Store(hn::Sub(bias1[k], move_bias1[k]), d, s.bias1 + i);
    hn::Store(hn::Sub(hn::Load(d, s.bias2 + i), move_bias2[k]), d, s.bias2 + i);
    hn::Store(hn::Sub(hn::Load(d, s.weight3 + i), move_weight3[k]), d, s.weight3 + i);
  }
  s.bias3 -= move_bias3;

  for (size_t j = 0; j < 16; j += kRows) {
    V16 sums[kRows][kVectors];
#pragma GCC unroll 4
    for (size_t r = 0; r < kRows; ++r)
#pragma GCC unroll 16
      for (size_t k = 0; k < kVectors; ++k) sums[r][k] = zero;
    accumulate(b.a1[0] + j, 1, 16, SmallBatch::kSize, b.move2[0], sums);
#pragma GCC unroll 4
    for (size_t r = 0; r < kRows; ++r)
#pragma GCC unroll 16
      for (size_t k = 0; k < kVectors; ++k) {
        float* row = s.weight2_by_input[j + r] + k * kLanes;
        hn::Store(hn::Sub(hn::Load(d, row), sums[r][k]), d, row);
      }
  }
  return loss / static_cast<float>(SmallBatch::kSize);
}

}  // namespace tapegrad::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapegrad::bench {
HWY_EXPORT(small_batch_step);
SmallBatchStep* small_batch_step_for_this_machine() {
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  return HWY_DYNAMIC_DISPATCH(small_batch_step);
}
}  // namespace tapegrad::bench
#endif
