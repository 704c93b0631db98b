// Products and steps of one matrix in one pass over it.

#include <algorithm>

#include "autograd/kernels/gemm.h"
#include "autograd/program/plan.h"

namespace tapegrad::detail {

bool is_move(const Plan& plan, const Step& step) {
  static const Op* const mul_add = find_op("mul_add");
  if (!step.head || step.calls.size() != 2) return false;
  const auto& values = plan.trace->values();
  const TraceCall &product = plan.trace->calls()[step.calls[0]], &call = plan.trace->calls()[step.calls[1]];
  if (call.op != mul_add || product.inputs.size() != 2 || call.inputs[0] != product.outputs[0]) return false;
  const auto shape = product.op->product(values[product.inputs[0]].shape, values[product.inputs[1]].shape);
  if (shape.k != 1 && !step.folded) return false;
  const uint32_t factor = plan.splats[call.inputs[1]], from = plan.splats[call.inputs[2]];
  const bool dense_factor =
      values[factor].kind != TraceValue::Kind::number && (count_of(values[factor]) != 1 || step.count == 1);
  return plan.places[call.inputs[0]].home == Home::slice && !dense_factor &&
         count_of(values[from]) == step.count;
}

namespace {

// The root of the matrix that a product of a row reads, where it is what a cell holds; else kNoStep.
uint32_t matrix_of(const Plan& plan, const Step& step) {
  if (!step.head || step.folded || step.count > kDirectCount) return kNoStep;
  const auto& values = plan.trace->values();
  const TraceCall& call = plan.trace->calls()[step.calls[0]];
  if (call.inputs.size() != 2) return kNoStep;
  const auto shape = call.op->product(values[call.inputs[0]].shape, values[call.inputs[1]].shape);
  const uint32_t matrix = values[call.inputs[1]].root;
  return kernels::gemm_moves_too(shape) && plan.places[matrix].home == Home::cell ? matrix : kNoStep;
}

// Whether a call of the step from `at` on reads the value.
bool reads(const Plan& plan, const Step& step, uint32_t root, size_t at = 0) {
  const auto& values = plan.trace->values();
  for (; at < step.calls.size(); ++at) {
    for (const uint32_t v : plan.trace->calls()[step.calls[at]].inputs) {
      if (values[v].root == root || values[plan.splats[v]].root == root) return true;
    }
  }
  return false;
}

// Whether the value is there when step s begins.
bool is_made_before(const Plan& plan, uint32_t v, size_t s) {
  const TraceValue& root = plan.trace->values()[plan.trace->values()[v].root];
  return root.kind != TraceValue::Kind::produced || plan.folded[v] || plan.places[v].first < s;
}

}  // namespace

void pair_steps(Plan& plan) {
  const auto& values = plan.trace->values();
  const auto& calls = plan.trace->calls();
  size_t safe = plan.steps.size();  // from here on nothing fails
  auto cannot_fail = [&](const Step& step) {
    return std::all_of(step.calls.begin(), step.calls.end(),
                       [&](uint32_t c) { return never_throws(*plan.trace, calls[c]); });
  };
  while (safe > 0 && cannot_fail(plan.steps[safe - 1])) --safe;
  for (size_t s = safe; s < plan.steps.size(); ++s) {
    Step& step = plan.steps[s];
    const uint32_t matrix = matrix_of(plan, step);
    if (matrix == kNoStep || reads(plan, step, matrix, 1)) continue;
    size_t later = s + 1;
    while (later < plan.steps.size() && !reads(plan, plan.steps[later], matrix)) ++later;
    if (later == plan.steps.size() || !is_move(plan, plan.steps[later]) || plan.steps[later].folded) continue;
    const TraceCall &own = calls[step.calls[0]], &outer = calls[plan.steps[later].calls[0]],
                    &update = calls[plan.steps[later].calls[1]];
    if (values[outer.inputs[0]].root != values[own.inputs[0]].root || update.inputs[2] != matrix ||
        plan.places[update.outputs[0]].home != Home::update) {
      continue;
    }
    const uint32_t right = values[outer.inputs[1]].root, factor = plan.splats[update.inputs[1]];
    if (right == matrix || values[own.inputs[0]].root == matrix || !is_made_before(plan, right, s) ||
        !is_made_before(plan, factor, s))
      continue;
    step.beside = static_cast<uint32_t>(later);
    plan.steps[later].done_before = true;
  }
}

}  // namespace tapegrad::detail
