// One training step on one sample of the two smallest networks, held in registers as far as they go.

#include "autograd/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/limits/tiny.cpp"
#include <hwy/foreach_target.h>

#include "bench/limits/lanes-inl.h"
#include "bench/limits/tiny.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::bench::HWY_NAMESPACE {

// 3-5-1, sigmoid in both layers. The five hidden neurons are lanes 0 to 4; lane 5 is a neuron that is always
// 1 (bias 40), whose weight is the output's bias; the rate is 0 in lanes 6 and 7.
float online_step(OnlineState& s, const float* x, float target) {
  const hn::CappedTag<float, 8> d;
  using V = hn::Vec<decltype(d)>;
  constexpr size_t kLanes = hn::MaxLanes(d);
  constexpr size_t kVectors = 8 / kLanes;
  const V x0 = hn::Set(d, x[0]), x1 = hn::Set(d, x[1]), x2 = hn::Set(d, x[2]);

  V w0[kVectors], w1[kVectors], w2[kVectors], b[kVectors], v[kVectors], h[kVectors], slope[kVectors];
  V sum = hn::Zero(d);
#pragma GCC unroll 4
  for (size_t k = 0; k < kVectors; ++k) {
    const size_t i = k * kLanes;
    w0[k] = hn::Load(d, s.weight1[0] + i);
    w1[k] = hn::Load(d, s.weight1[1] + i);
    w2[k] = hn::Load(d, s.weight1[2] + i);
    b[k] = hn::Load(d, s.bias1 + i);
    v[k] = hn::Load(d, s.weight2 + i);
    const V z = hn::MulAdd(w2[k], x2, hn::MulAdd(w1[k], x1, hn::MulAdd(w0[k], x0, b[k])));
    h[k] = sigmoid_lanes(d, z);
    sum = hn::MulAdd(v[k], h[k], sum);
    slope[k] = hn::Mul(v[k], hn::NegMulAdd(h[k], h[k], h[k]));
  }
  const V y = sigmoid_lanes(d, hn::SumOfLanes(d, sum));
  const V error = hn::Sub(y, hn::Set(d, target));
  const V delta = hn::Mul(hn::Add(error, error), hn::NegMulAdd(y, y, y));
#pragma GCC unroll 4
  for (size_t k = 0; k < kVectors; ++k) {
    const size_t i = k * kLanes;
    const V move = hn::Mul(delta, hn::Load(d, s.rate + i));
    const V move1 = hn::Mul(move, slope[k]);
    hn::Store(hn::NegMulAdd(move1, x0, w0[k]), d, s.weight1[0] + i);
    hn::Store(hn::NegMulAdd(move1, x1, w1[k]), d, s.weight1[1] + i);
    hn::Store(hn::NegMulAdd(move1, x2, w2[k]), d, s.weight1[2] + i);
    hn::Store(hn::Sub(b[k], move1), d, s.bias1 + i);
    hn::Store(hn::NegMulAdd(move, h[k], v[k]), d, s.weight2 + i);
  }
  return hn::GetLane(hn::Mul(error, error));
}

// 2-16-16-1, tanh in the hidden layers, none in the last. The middle weights are kept in both orders, so that
// the forward and the backward product both run along rows.
float small_step(SmallState& s, const float* x, float target) {
  const hn::CappedTag<float, 16> d;
  using V = hn::Vec<decltype(d)>;
  constexpr size_t kLanes = hn::MaxLanes(d);
  constexpr size_t kVectors = 16 / kLanes;
  constexpr size_t kChains = 4;  // sums in flight, to hide the latency of the multiply-adds
  HWY_ALIGN float broadcast[16];
  const V one = hn::Set(d, 1.0f);
  const V x0 = hn::Set(d, x[0]), x1 = hn::Set(d, x[1]);

  V a1[kVectors], a2[kVectors], sums[kChains][kVectors];
#pragma GCC unroll 4
  for (size_t k = 0; k < kVectors; ++k) {
    const size_t i = k * kLanes;
    const V w0 = hn::Load(d, s.weight1[0] + i), w1 = hn::Load(d, s.weight1[1] + i);
    a1[k] = tanh_lanes(d, hn::MulAdd(w1, x1, hn::MulAdd(w0, x0, hn::Load(d, s.bias1 + i))));
    hn::Store(a1[k], d, broadcast + i);
    sums[0][k] = hn::Load(d, s.bias2 + i);
#pragma GCC unroll 4
    for (size_t c = 1; c < kChains; ++c) sums[c][k] = hn::Zero(d);
  }
#pragma GCC unroll 16
  for (size_t j = 0; j < 16; ++j) {
    const V a = hn::Set(d, broadcast[j]);
#pragma GCC unroll 4
    for (size_t k = 0; k < kVectors; ++k)
      sums[j % kChains][k] =
          hn::MulAdd(a, hn::Load(d, s.weight2_by_input[j] + k * kLanes), sums[j % kChains][k]);
  }
  V output = hn::Zero(d);
  V weight3[kVectors];
#pragma GCC unroll 4
  for (size_t k = 0; k < kVectors; ++k) {
    const V z = hn::Add(hn::Add(sums[0][k], sums[1][k]), hn::Add(sums[2][k], sums[3][k]));
    a2[k] = tanh_lanes(d, z);
    weight3[k] = hn::Load(d, s.weight3 + k * kLanes);
    output = hn::MulAdd(weight3[k], a2[k], output);
  }
  const V y = hn::Add(hn::SumOfLanes(d, output), hn::Set(d, s.bias3));
  const V error = hn::Sub(y, hn::Set(d, target));
  const V move = hn::Mul(error, hn::Set(d, 2.0f * s.rate));  // rate * dloss/dy
  s.bias3 -= hn::GetLane(move);

  // From here every derivative carries the rate: it is multiplied in once.
  V move2[kVectors];
#pragma GCC unroll 4
  for (size_t k = 0; k < kVectors; ++k) {
    const size_t i = k * kLanes;
    move2[k] = hn::Mul(hn::Mul(move, weight3[k]), hn::NegMulAdd(a2[k], a2[k], one));
    hn::Store(move2[k], d, broadcast + i);
    hn::Store(hn::NegMulAdd(move, a2[k], weight3[k]), d, s.weight3 + i);
    hn::Store(hn::Sub(hn::Load(d, s.bias2 + i), move2[k]), d, s.bias2 + i);
#pragma GCC unroll 4
    for (size_t c = 0; c < kChains; ++c) sums[c][k] = hn::Zero(d);
  }
#pragma GCC unroll 16
  for (size_t o = 0; o < 16; ++o) {
    const V m = hn::Set(d, broadcast[o]);
#pragma GCC unroll 4
    for (size_t k = 0; k < kVectors; ++k) {
      float* row = s.weight2_by_output[o] + k * kLanes;
      const V w = hn::Load(d, row);
      sums[o % kChains][k] = hn::MulAdd(m, w, sums[o % kChains][k]);
      hn::Store(hn::NegMulAdd(m, a1[k], w), d, row);
    }
  }
#pragma GCC unroll 4
  for (size_t k = 0; k < kVectors; ++k) hn::Store(a1[k], d, broadcast + k * kLanes);
#pragma GCC unroll 16
  for (size_t j = 0; j < 16; ++j) {
    const V a = hn::Set(d, broadcast[j]);
#pragma GCC unroll 4
    for (size_t k = 0; k < kVectors; ++k) {
      float* row = s.weight2_by_input[j] + k * kLanes;
      hn::Store(hn::NegMulAdd(a, move2[k], hn::Load(d, row)), d, row);
    }
  }
#pragma GCC unroll 4
  for (size_t k = 0; k < kVectors; ++k) {
    const size_t i = k * kLanes;
    const V sum = hn::Add(hn::Add(sums[0][k], sums[1][k]), hn::Add(sums[2][k], sums[3][k]));
    const V move1 = hn::Mul(sum, hn::NegMulAdd(a1[k], a1[k], one));
    hn::Store(hn::NegMulAdd(move1, x0, hn::Load(d, s.weight1[0] + i)), d, s.weight1[0] + i);
    hn::Store(hn::NegMulAdd(move1, x1, hn::Load(d, s.weight1[1] + i)), d, s.weight1[1] + i);
    hn::Store(hn::Sub(hn::Load(d, s.bias1 + i), move1), d, s.bias1 + i);
  }
  return hn::GetLane(hn::Mul(error, error));
}

}  // namespace tapegrad::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapegrad::bench {
HWY_EXPORT(online_step);
HWY_EXPORT(small_step);
OnlineStep* online_step_for_this_machine() {
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  return HWY_DYNAMIC_DISPATCH(online_step);
}
SmallStep* small_step_for_this_machine() {
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  return HWY_DYNAMIC_DISPATCH(small_step);
}
}  // namespace tapegrad::bench
#endif
