#include "autograd/program/plan.h"

#include <algorithm>
#include <functional>
#include <map>
#include <queue>

#include "autograd/kernels/gemm.h"

namespace tapegrad::detail {
namespace {

using Kind = TraceValue::Kind;

constexpr size_t kGroupCalls = 64;  // a longer group's blocks would no longer fit the first-level cache

bool is_expand_of_one(const Trace& trace, const TraceCall& call) {
  return call.op->name == "expand" && count_of(trace.values()[call.inputs[0]]) == 1;
}

}  // namespace

bool is_groupable(const Plan& plan, const TraceCall& call) {
  const auto& values = plan.trace->values();
  const Op& op = *call.op;
  const DType dtype = values[call.inputs[static_cast<size_t>(op.first_value)]].dtype;
  if (op.pointwise[static_cast<int>(dtype)] == nullptr) return false;
  const int64_t count = count_of(values[call.outputs[0]]);
  for (const uint32_t v : call.inputs) {
    const int64_t of = count_of(values[plan.splats[v]]);
    if (of != count && of != 1) return false;
  }
  return count > 0;
}

bool is_head(const Trace& trace, const TraceCall& call) {
  if (call.op->product == nullptr) return false;
  const auto& values = trace.values();
  const TraceValue& a = values[call.inputs[0]];
  const kernels::Gemm product = call.op->product(a.shape, values[call.inputs[1]].shape);
  return kernels::gemm_slices(product) > 0 && kernels::gemm_slices_at_once(a.dtype, product, kSliceBytes) > 0;
}

bool never_throws(const Trace& trace, const TraceCall& call) {
  const auto first = static_cast<size_t>(call.op->first_value);
  return call.op->never_throws ||
         call.op->pointwise[static_cast<int>(trace.values()[call.inputs[first]].dtype)] != nullptr;
}

std::vector<bool> needed_calls(Plan& plan) {
  const Trace& trace = *plan.trace;
  const auto& values = trace.values();
  const auto& calls = trace.calls();
  plan.splats.resize(values.size());
  plan.folded.resize(values.size());
  for (uint32_t v = 0; v < values.size(); ++v) {
    plan.splats[v] = v;
    plan.folded[v] = !values[v].varies;
  }
  // Pointwise ops read a repeated element where it is.
  for (const TraceCall& call : calls) {
    if (is_expand_of_one(trace, call)) plan.splats[call.outputs[0]] = plan.splats[call.inputs[0]];
  }
  std::vector<bool> wanted(values.size());
  for (const uint32_t v : plan.results) wanted[v] = true;
  for (const TraceWrite& write : trace.writes()) wanted[write.value] = true;
  std::vector<bool> needed(calls.size());
  for (size_t c = calls.size(); c-- > 0;) {
    const TraceCall& call = calls[c];
    for (const uint32_t v : call.outputs) needed[c] = needed[c] || (wanted[v] && !plan.folded[v]);
    if (!needed[c]) {
      const bool shared =
          std::any_of(call.outputs.begin(), call.outputs.end(), [&](uint32_t v) { return bool(wanted[v]); });
      plan.dropped += !shared;
      continue;
    }
    const bool group = is_groupable(plan, call);
    for (const uint32_t v : call.inputs) wanted[group ? plan.splats[v] : v] = true;
  }
  return needed;
}

namespace {

// Calls that write a cell wait to the end, so that it can be written in place when nothing can fail any more.
// One that finishes a product can follow it at once where what comes later in the trace neither fails nor
// reads the cell.
bool may_follow_product(const Plan& plan, const std::vector<bool>& runs, const TraceWrite& write) {
  const Trace& trace = *plan.trace;
  const auto& values = trace.values();
  const auto& calls = trace.calls();
  const TraceCall& update = calls[values[write.value].index];
  uint32_t product = UINT32_MAX;
  for (const uint32_t v : update.inputs) {
    if (values[v].kind == Kind::produced && is_head(trace, calls[values[v].index])) product = values[v].index;
  }
  if (product == UINT32_MAX) return false;
  for (uint32_t c = product; c < calls.size(); ++c) {
    if (!runs[c]) continue;
    if (!never_throws(trace, calls[c])) return false;
    if (&calls[c] == &update) continue;
    for (const uint32_t v : calls[c].inputs) {
      const TraceValue& root = values[values[v].root];
      if (root.kind == Kind::cell && root.cell.handle() == write.cell.handle()) return false;
    }
  }
  return true;
}

// A group that consists of a large product alone is an ordinary call, which cuts it better.
void drop_lone_heads(Plan& plan) {
  for (Step& step : plan.steps) {
    if (!step.head || step.calls.size() > 1 || step.count <= kDirectCount) continue;
    step.group = step.head = false;
  }
}

}  // namespace

void schedule(Plan& plan, const std::vector<bool>& needed) {
  const Trace& trace = *plan.trace;
  const auto& values = trace.values();
  const auto& calls = trace.calls();
  // Views run nothing: whoever reads one waits for the call that makes its root.
  std::vector<bool> runs(calls.size());
  for (uint32_t c = 0; c < calls.size(); ++c) runs[c] = needed[c] && calls[c].op->forward != nullptr;
  std::vector<uint32_t> missing(calls.size());
  std::vector<std::vector<uint32_t>> readers(calls.size());
  std::vector<int64_t> key(calls.size());  // of groups that a call can join: the count; 0: none
  for (uint32_t c = 0; c < calls.size(); ++c) {
    if (!runs[c]) continue;
    const bool group = is_groupable(plan, calls[c]);
    key[c] = group ? count_of(values[calls[c].outputs[0]]) : 0;
    std::vector<uint32_t> before;
    for (uint32_t v : calls[c].inputs) {
      v = values[group ? plan.splats[v] : v].root;
      if (values[v].kind == Kind::produced && !plan.folded[v]) before.push_back(values[v].index);
    }
    std::sort(before.begin(), before.end());
    before.erase(std::unique(before.begin(), before.end()), before.end());
    missing[c] = static_cast<uint32_t>(before.size());
    for (const uint32_t b : before) readers[b].push_back(c);
  }
  std::vector<bool> late(calls.size());
  for (const TraceWrite& write : trace.writes()) {
    const TraceValue& value = values[write.value];
    if (value.kind != Kind::produced || value.root != write.value) continue;
    late[value.index] =
        key[value.index] != 0 && readers[value.index].empty() && !may_follow_product(plan, runs, write);
  }
  // The calls that could run next, by the groups they fit; within each in the order of the trace.
  using Ready = std::priority_queue<uint32_t, std::vector<uint32_t>, std::greater<>>;
  std::map<int64_t, Ready> ready, ready_late;
  auto add = [&](uint32_t c) { (late[c] ? ready_late : ready)[key[c]].push(c); };
  for (uint32_t c = 0; c < calls.size(); ++c) {
    if (runs[c] && missing[c] == 0) add(c);
  }
  bool ending = false;
  for (;;) {
    Step* open = plan.steps.empty() ? nullptr : &plan.steps.back();
    const int64_t going_on =
        open != nullptr && open->group && open->calls.size() < kGroupCalls ? open->count : 0;
    auto next = ready.end();
    if (going_on != 0 && !ready[going_on].empty()) {
      next = ready.find(going_on);
    } else {
      for (auto at = ready.begin(); at != ready.end(); ++at) {
        if (at->second.empty()) continue;
        if (next == ready.end() || at->second.top() < next->second.top()) next = at;
      }
    }
    if (next == ready.end()) {
      if (ending) break;
      ending = true;
      ready.swap(ready_late);
      continue;
    }
    const uint32_t c = next->second.top();
    next->second.pop();
    if (is_head(trace, calls[c])) {
      plan.steps.push_back({{}, true, count_of(values[calls[c].outputs[0]]), true});
    } else if (going_on == 0 || key[c] != going_on) {
      plan.steps.push_back({{}, key[c] != 0, key[c]});
    }
    plan.steps.back().calls.push_back(c);
    for (const uint32_t reader : readers[c]) {
      if (--missing[reader] == 0) add(reader);
    }
  }
}

Plan make_plan(const Trace& trace, std::span<const uint32_t> results) {
  Plan plan;
  plan.trace = &trace;
  plan.results.assign(results.begin(), results.end());
  const std::vector<bool> needed = needed_calls(plan);
  schedule(plan, needed);
  drop_lone_heads(plan);
  place(plan);
  return plan;
}

}  // namespace tapegrad::detail
