#pragma once

// The states of the two smallest networks in the order their loops read them, and those loops, each compiled
// for several processors and chosen at run time.

#include <cstddef>

namespace tapegrad::bench {

// 3-5-1: rows of eight lanes, one per hidden neuron. Lane 5 is a neuron that is always 1 (bias 40, weights
// 0): its weight2 is the output's bias. Lanes 6 and 7 have rate 0 and stay 0.
struct OnlineState {
  alignas(64) float weight1[3][8];  // [input][neuron]
  float bias1[8];
  float weight2[8];
  float rate[8];
};

// 2-16-16-1. weight2_by_output repeats weight2_by_input transposed.
struct SmallState {
  alignas(64) float weight1[2][16];  // [input][neuron]
  float bias1[16];
  float weight2_by_input[16][16], weight2_by_output[16][16];
  float bias2[16];
  float weight3[16];
  float bias3, rate;
};

// Scratch of a step on 64 samples: the first layer's activations and the loss's derivative by the second
// layer's sums, times the rate.
struct SmallBatch {
  static constexpr size_t kSize = 64;
  alignas(64) float a1[kSize][16], move2[kSize][16];
};

// Each runs one step and returns the loss from before it.
using OnlineStep = float(OnlineState&, const float* x, float target);
using SmallStep = float(SmallState&, const float* x, float target);
using SmallBatchStep = float(SmallState&, SmallBatch&, const float* x, const float* target);

// The versions for this processor.
OnlineStep* online_step_for_this_machine();
SmallStep* small_step_for_this_machine();
SmallBatchStep* small_batch_step_for_this_machine();

}  // namespace tapegrad::bench
