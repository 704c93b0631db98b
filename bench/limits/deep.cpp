// A deep network of narrow layers, 32 wide, on a batch of 32: everything is in the second-level cache, and a
// layer's three products are loops over rows in registers.

#include <algorithm>
#include <stdexcept>

#include "autograd/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/limits/deep.cpp"
#include <hwy/foreach_target.h>

#include "bench/limits/lanes-inl.h"
#include "bench/limits/limits.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::bench::HWY_NAMESPACE {

constexpr size_t kSize = DeepLimit::kSize;
using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;
constexpr size_t kLanes = hn::MaxLanes(D());
constexpr size_t kVectors = kSize / kLanes;
// Rows of a product that are summed at once: as many as the registers of the target hold.
constexpr size_t kRows = kLanes == 16 ? 8 : kLanes == 8 ? 2 : 1;

// sums[r][k] += sum over j of left[r * row + j * column] * right[j][k], for kRows rows.
HWY_INLINE void accumulate(const float* left, size_t row, size_t column, const float* right,
                           V (&sums)[kRows][kVectors]) {
  const D d;
  for (size_t j = 0; j < kSize; ++j) {
    V from[kVectors];
#pragma GCC unroll 16
    for (size_t k = 0; k < kVectors; ++k) from[k] = hn::Load(d, right + j * kSize + k * kLanes);
#pragma GCC unroll 16
    for (size_t r = 0; r < kRows; ++r) {
      const V factor = hn::Set(d, left[r * row + j * column]);
#pragma GCC unroll 16
      for (size_t k = 0; k < kVectors; ++k) sums[r][k] = hn::MulAdd(factor, from[k], sums[r][k]);
    }
  }
}

void transpose(const float* from, float* to) {
#if HWY_TARGET == HWY_SCALAR
  for (size_t i = 0; i < kSize; ++i)
    for (size_t j = 0; j < kSize; ++j) to[j * kSize + i] = from[i * kSize + j];
#else
  const hn::FixedTag<float, 4> d;
  for (size_t i = 0; i < kSize; i += 4) {
    for (size_t j = 0; j < kSize; j += 4) {
      const float* at = from + i * kSize + j;
      const auto a = hn::Load(d, at), b = hn::Load(d, at + kSize), c = hn::Load(d, at + 2 * kSize),
                 e = hn::Load(d, at + 3 * kSize);
      const auto ac0 = hn::InterleaveLower(d, a, c), ac1 = hn::InterleaveUpper(d, a, c);
      const auto be0 = hn::InterleaveLower(d, b, e), be1 = hn::InterleaveUpper(d, b, e);
      float* out = to + j * kSize + i;
      hn::Store(hn::InterleaveLower(d, ac0, be0), d, out);
      hn::Store(hn::InterleaveUpper(d, ac0, be0), d, out + kSize);
      hn::Store(hn::InterleaveLower(d, ac1, be1), d, out + 2 * kSize);
      hn::Store(hn::InterleaveUpper(d, ac1, be1), d, out + 3 * kSize);
    }
  }
#endif
}

// y = x w + bias, cut off below 0 if relu.
void layer_forward(const float* x, const float* w, const float* bias, float* y, bool relu) {
  const D d;
  for (size_t r = 0; r < kSize; r += kRows) {
    V sums[kRows][kVectors];
#pragma GCC unroll 16
    for (size_t i = 0; i < kRows; ++i)
#pragma GCC unroll 16
      for (size_t k = 0; k < kVectors; ++k) sums[i][k] = hn::Load(d, bias + k * kLanes);
    accumulate(x + r * kSize, kSize, 1, w, sums);
#pragma GCC unroll 16
    for (size_t i = 0; i < kRows; ++i)
#pragma GCC unroll 16
      for (size_t k = 0; k < kVectors; ++k)
        hn::Store(relu ? hn::Max(sums[i][k], hn::Zero(d)) : sums[i][k], d, y + (r + i) * kSize + k * kLanes);
  }
}

// below = x > 0 ? g w^T : 0, unless below is null, and w -= x^T g, bias -= the sum of g's rows.
void layer_backward(const float* x, const float* g, float* w, float* bias, float* turned, float* below) {
  const D d;
  if (below != nullptr) {
    transpose(w, turned);
    for (size_t r = 0; r < kSize; r += kRows) {
      V sums[kRows][kVectors];
#pragma GCC unroll 16
      for (size_t i = 0; i < kRows; ++i)
#pragma GCC unroll 16
        for (size_t k = 0; k < kVectors; ++k) sums[i][k] = hn::Zero(d);
      accumulate(g + r * kSize, kSize, 1, turned, sums);
#pragma GCC unroll 16
      for (size_t i = 0; i < kRows; ++i)
#pragma GCC unroll 16
        for (size_t k = 0; k < kVectors; ++k) {
          const size_t at = (r + i) * kSize + k * kLanes;
          const auto active = hn::Gt(hn::Load(d, x + at), hn::Zero(d));
          hn::Store(hn::IfThenElseZero(active, sums[i][k]), d, below + at);
        }
    }
  }
  for (size_t i = 0; i < kSize; i += kRows) {
    V sums[kRows][kVectors];
#pragma GCC unroll 16
    for (size_t r = 0; r < kRows; ++r)
#pragma GCC unroll 16
      for (size_t k = 0; k < kVectors; ++k) sums[r][k] = hn::Zero(d);
    accumulate(x + i, 1, kSize, g, sums);
#pragma GCC unroll 16
    for (size_t r = 0; r < kRows; ++r)
#pragma GCC unroll 16
      for (size_t k = 0; k < kVectors; ++k) {
        float* to = w + (i + r) * kSize + k * kLanes;
        hn::Store(hn::Sub(hn::Load(d, to), sums[r][k]), d, to);
      }
  }
  for (size_t k = 0; k < kVectors; ++k) {
    V sum = hn::Load(d, bias + k * kLanes);
    for (size_t r = 0; r < kSize; ++r) sum = hn::Sub(sum, hn::Load(d, g + r * kSize + k * kLanes));
    hn::Store(sum, d, bias + k * kLanes);
  }
}

// g = scale (y - target); returns the sum of squares.
float difference(const float* y, const float* target, float scale, float* g) {
  const D d;
  V sum = hn::Zero(d);
  const V by = hn::Set(d, scale);
  for (size_t i = 0; i < kSize * kSize; i += kLanes) {
    const V e = hn::Sub(hn::Load(d, y + i), hn::LoadU(d, target + i));
    hn::Store(hn::Mul(e, by), d, g + i);
    sum = hn::MulAdd(e, e, sum);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

float deep_step(DeepState& s, const float* x, const float* target) {
  constexpr float kCount = kSize * kSize;
  const size_t layers = s.layers.size();
  std::copy_n(x, kSize * kSize, s.input[0]);
  for (size_t l = 0; l < layers; ++l) {
    layer_forward(l == 0 ? s.input[0] : s.layers[l - 1].activation[0], s.layers[l].weight[0],
                  s.layers[l].bias, s.layers[l].activation[0], l + 1 < layers);
  }
  float(*g)[kSize] = s.gradient[0], (*below)[kSize] = s.gradient[1];
  const float sum = difference(s.layers.back().activation[0], target, 2 * s.rate / kCount, g[0]);
  for (size_t l = layers; l-- > 0;) {
    layer_backward(l == 0 ? s.input[0] : s.layers[l - 1].activation[0], g[0], s.layers[l].weight[0],
                   s.layers[l].bias, s.turned[0], l == 0 ? nullptr : below[0]);
    std::swap(g, below);
  }
  return sum / kCount;
}

}  // namespace tapegrad::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapegrad::bench {

HWY_EXPORT(deep_step);

DeepLimit::DeepLimit(size_t layers, float learning_rate) : state_(std::make_unique<DeepState>()) {
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  step_ = HWY_DYNAMIC_DISPATCH(deep_step);
  state_->layers.resize(layers);
  state_->rate = learning_rate;
}

void DeepLimit::set(size_t layer, std::span<const float> weight, std::span<const float> bias) {
  DeepState::Layer& l = state_->layers.at(layer);
  if (weight.size() != kSize * kSize || bias.size() != kSize)
    throw std::invalid_argument("limit: a parameter has the wrong size");
  for (size_t o = 0; o < kSize; ++o)
    for (size_t i = 0; i < kSize; ++i) l.weight[i][o] = weight[o * kSize + i];
  std::copy(bias.begin(), bias.end(), l.bias);
}

std::vector<float> DeepLimit::weight(size_t layer) const {
  const DeepState::Layer& l = state_->layers.at(layer);
  std::vector<float> to(kSize * kSize);
  for (size_t o = 0; o < kSize; ++o)
    for (size_t i = 0; i < kSize; ++i) to[o * kSize + i] = l.weight[i][o];
  return to;
}

std::vector<float> DeepLimit::bias(size_t layer) const {
  const DeepState::Layer& l = state_->layers.at(layer);
  return {l.bias, l.bias + kSize};
}

double DeepLimit::flops() const {
  return 2.0 * kSize * kSize * kSize * (3.0 * static_cast<double>(state_->layers.size()) - 1);
}

}  // namespace tapegrad::bench
#endif
