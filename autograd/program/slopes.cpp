// Slopes of activations that are computed with the activation, off the way from the loss to the gradients.

#include <algorithm>

#include "autograd/kernels/gemm.h"
#include "autograd/program/plan.h"

namespace tapegrad::detail {
namespace {

constexpr int64_t kSlopeBytes = 512;  // of a value at most: where a run waits rather than computes

// A backward op (g, x, y) that multiplies g by a slope which does not depend on g, by pole_mul: its result
// for g = 1 is that slope. A test holds it.
bool only_scales(const Op* op) {
  static const Op* const ops[] = {find_op("tanh_backward"), find_op("sigmoid_backward")};
  return std::find(std::begin(ops), std::end(ops), op) != std::end(ops);
}

// Whether the step is a group that is walked in one go.
bool is_direct(const Plan& plan, const Step& step) {
  if (!step.group || step.count > kDirectCount || step.folded || step.done_before) return false;
  if (!step.head) return true;
  const auto& values = plan.trace->values();
  const TraceCall& call = plan.trace->calls()[step.calls[0]];
  const auto product = call.op->product(values[call.inputs[0]].shape, values[call.inputs[1]].shape);
  const int64_t at_once = kernels::gemm_slices_at_once(values[call.inputs[0]].dtype, product, kSliceBytes);
  return kernels::gemm_grain(product, at_once) == INT64_MAX;
}

// Whether reading v reads the memory of the value.
bool reads(const Plan& plan, uint32_t v, uint32_t root) {
  const auto& values = plan.trace->values();
  return values[v].root == root || values[plan.splats[v]].root == root;
}

// How many calls read the memory of the value.
size_t readers(const Plan& plan, uint32_t root) {
  size_t count = 0;
  for (const Step& step : plan.steps) {
    for (const uint32_t c : step.calls) {
      const auto& in = plan.trace->calls()[c].inputs;
      count += std::any_of(in.begin(), in.end(), [&](uint32_t v) { return reads(plan, v, root); });
    }
  }
  return count;
}

}  // namespace

void choose_slopes(Plan& plan) {
  const auto& calls = plan.trace->calls();
  const auto& values = plan.trace->values();
  std::vector<uint32_t> step_of(calls.size(), kNoStep);  // where it is direct
  for (uint32_t s = 0; s < plan.steps.size(); ++s) {
    const Step& step = plan.steps[s];
    if (!is_direct(plan, step)) continue;
    for (size_t at = step.head; at < step.calls.size(); ++at) step_of[step.calls[at]] = s;
  }
  for (uint32_t b = 0; b < calls.size(); ++b) {
    const TraceCall& backward = calls[b];
    if (step_of[b] == kNoStep || !only_scales(backward.op)) continue;
    const uint32_t x = backward.inputs[1], y = backward.inputs[2];
    if (values[y].kind != TraceValue::Kind::produced || plan.folded[y]) continue;
    const uint32_t f = values[y].index;
    if (calls[f].op != backward.op->primal || calls[f].inputs[0] != x || step_of[f] == kNoStep ||
        step_of[f] == step_of[b]) {
      continue;
    }
    if (reads(plan, backward.inputs[0], x))
      continue;  // it would find the slope in the place of its cotangent
    const Place& place = plan.places[x];
    if (values[x].root != x || place.home != Home::arena || place.bytes > kSlopeBytes ||
        place.last != step_of[b] || readers(plan, x) != 2 ||
        count_of(values[x]) != plan.steps[step_of[b]].count) {
      continue;
    }
    plan.slopes.push_back({step_of[f], b});
  }
}

}  // namespace tapegrad::detail
