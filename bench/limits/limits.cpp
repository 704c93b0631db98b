#include "bench/limits/limits.h"

#include "autograd/kernels/simd_targets.h"

#include <hwy/highway.h>

#include <stdexcept>

namespace tapegrad::bench {
namespace {

void require(bool holds, const char* message) {
  if (!holds) throw std::invalid_argument(message);
}

// Copies a row-major [rows, columns] matrix into its transpose, whose rows start `stride` apart, and back.
void put_transposed(std::span<const float> from, float* to, size_t rows, size_t columns, size_t stride) {
  require(from.size() == rows * columns, "limit: a parameter has the wrong size");
  for (size_t r = 0; r < rows; ++r)
    for (size_t c = 0; c < columns; ++c) to[c * stride + r] = from[r * columns + c];
}

std::vector<float> get_transposed(const float* from, size_t rows, size_t columns, size_t stride) {
  std::vector<float> to(rows * columns);
  for (size_t r = 0; r < rows; ++r)
    for (size_t c = 0; c < columns; ++c) to[r * columns + c] = from[c * stride + r];
  return to;
}

}  // namespace

const char* limits_target() {
  const int64_t usable = hwy::SupportedTargets() & HWY_TARGETS;
  return hwy::TargetName(usable & -usable);  // the lowest bit is the best target
}

OnlineLimit::OnlineLimit(float learning_rate) : step_(online_step_for_this_machine()) {
  state_.bias1[5] = 40.0f;
  for (size_t i = 0; i < 6; ++i) state_.rate[i] = learning_rate;
}

void OnlineLimit::set(size_t layer, std::span<const float> weight, std::span<const float> bias) {
  require(layer < 2, "limit: no such layer");
  if (layer == 0) {
    put_transposed(weight, state_.weight1[0], 5, 3, 8);
    put_transposed(bias, state_.bias1, 5, 1, 8);
  } else {
    put_transposed(weight, state_.weight2, 1, 5, 1);
    put_transposed(bias, state_.weight2 + 5, 1, 1, 1);
  }
}

std::vector<float> OnlineLimit::weight(size_t layer) const {
  require(layer < 2, "limit: no such layer");
  return layer == 0 ? get_transposed(state_.weight1[0], 5, 3, 8) : get_transposed(state_.weight2, 1, 5, 1);
}

std::vector<float> OnlineLimit::bias(size_t layer) const {
  require(layer < 2, "limit: no such layer");
  return layer == 0 ? get_transposed(state_.bias1, 5, 1, 8) : get_transposed(state_.weight2 + 5, 1, 1, 1);
}

SmallLimit::SmallLimit(int64_t batch, float learning_rate)
    : step_(small_step_for_this_machine()), batch_step_(small_batch_step_for_this_machine()) {
  require(batch == 1 || batch == 64, "SmallLimit: the batch is 1 or 64");
  if (batch == 64) scratch_ = std::make_unique<SmallBatch>();
  state_.rate = learning_rate;
}

void SmallLimit::set(size_t layer, std::span<const float> weight, std::span<const float> bias) {
  require(layer < 3, "limit: no such layer");
  if (layer == 0) {
    put_transposed(weight, state_.weight1[0], 16, 2, 16);
    put_transposed(bias, state_.bias1, 16, 1, 16);
  } else if (layer == 1) {
    put_transposed(weight, state_.weight2_by_input[0], 16, 16, 16);
    put_transposed(get_transposed(weight.data(), 16, 16, 16), state_.weight2_by_output[0], 16, 16, 16);
    put_transposed(bias, state_.bias2, 16, 1, 16);
  } else {
    put_transposed(weight, state_.weight3, 1, 16, 1);
    put_transposed(bias, &state_.bias3, 1, 1, 1);
  }
}

std::vector<float> SmallLimit::weight(size_t layer) const {
  require(layer < 3, "limit: no such layer");
  if (layer == 0) return get_transposed(state_.weight1[0], 16, 2, 16);
  if (layer == 1) return get_transposed(state_.weight2_by_input[0], 16, 16, 16);
  return get_transposed(state_.weight3, 1, 16, 1);
}

std::vector<float> SmallLimit::bias(size_t layer) const {
  require(layer < 3, "limit: no such layer");
  if (layer == 0) return get_transposed(state_.bias1, 16, 1, 16);
  if (layer == 1) return get_transposed(state_.bias2, 16, 1, 16);
  return get_transposed(&state_.bias3, 1, 1, 1);
}

}  // namespace tapegrad::bench
