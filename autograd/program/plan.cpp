#include "autograd/program/plan.h"

#include <algorithm>
#include <functional>
#include <map>
#include <queue>

#include "autograd/kernels/gemm.h"

namespace tapegrad::detail {
namespace {

using Kind = TraceValue::Kind;

// True for the same number 1 in every run, alone or repeated. The cotangents of a sum begin with it.
bool is_one(const Plan& plan, uint32_t v) {
  const uint32_t of = plan.splats[v];
  const TraceValue& value = plan.trace->values()[of];
  if (value.kind == Kind::number || !plan.folded[of] || count_of(value) != 1) return false;
  const void* data = value.held.handle()->data;
  return value.dtype == DType::float32   ? *static_cast<const float*>(data) == 1
         : value.dtype == DType::float64 ? *static_cast<const double*>(data) == 1
                                         : false;
}

// What a product by 1 is equal to, if there is as much of it; else the product itself.
uint32_t factor_beside_one(const Plan& plan, const TraceCall& call) {
  static const Op* const mul = find_op("mul");
  const uint32_t product = call.outputs[0];
  if (call.op != mul) return product;
  for (int k = 0; k < 2; ++k) {
    const uint32_t other = plan.splats[call.inputs[static_cast<size_t>(1 - k)]];
    const auto& values = plan.trace->values();
    if (is_one(plan, call.inputs[static_cast<size_t>(k)]) && values[other].kind != Kind::number &&
        count_of(values[other]) == count_of(values[product])) {
      return other;
    }
  }
  return product;
}

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
  return call.op->never_throws || call.op->flags.in_place ||
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
  // Pointwise ops read a repeated element where it is, and a product by 1 as the other factor.
  for (const TraceCall& call : calls) {
    uint32_t& read = plan.splats[call.outputs[0]];
    read = is_expand_of_one(trace, call) ? plan.splats[call.inputs[0]] : factor_beside_one(plan, call);
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

// Where the program may fold them: of each call that makes what is written into a cell, the product that it
// adds to the cell, times a number, if nobody else reads that product; else kNone.
constexpr uint32_t kNone = UINT32_MAX;
std::vector<uint32_t> folded_products(const Plan& plan, const std::vector<bool>& runs) {
  static const Op* const mul_add = find_op("mul_add");
  const Trace& trace = *plan.trace;
  const auto& values = trace.values();
  const auto& calls = trace.calls();
  std::vector<uint32_t> product_of(calls.size(), kNone);
  if (!plan.fuse_updates) return product_of;
  std::vector<uint32_t> uses(values.size());  // of each root
  for (uint32_t c = 0; c < calls.size(); ++c) {
    if (!runs[c]) continue;
    for (const uint32_t v : calls[c].inputs) ++uses[values[v].root];
  }
  for (const uint32_t v : plan.results) ++uses[values[v].root];
  for (const TraceWrite& write : trace.writes()) ++uses[values[write.value].root];
  for (const TraceWrite& write : trace.writes()) {
    const TraceValue& written = values[write.value];
    if (written.kind != Kind::produced || written.root != write.value || !runs[written.index]) continue;
    const TraceCall& update = calls[written.index];
    if (update.op != mul_add) continue;
    const TraceValue &product = values[update.inputs[0]], &cell = values[update.inputs[2]];
    if (product.kind != Kind::produced || product.root != update.inputs[0] || uses[product.root] != 1)
      continue;
    if (count_of(values[plan.splats[update.inputs[1]]]) != 1 || cell.kind != Kind::cell ||
        cell.cell.handle() != write.cell.handle() || !(product.shape == cell.shape)) {
      continue;
    }
    const TraceCall& call = calls[product.index];
    if (!runs[product.index] || call.op->product == nullptr || call.inputs.size() != 2) continue;
    const TraceValue &a = values[call.inputs[0]], &b = values[call.inputs[1]];
    if (a.root == update.inputs[2] || b.root == update.inputs[2]) continue;
    if (kernels::gemm_accumulates(call.op->product(a.shape, b.shape)))
      product_of[written.index] = product.index;
  }
  return product_of;
}

// Calls that write a cell wait to the end, so that it can be written in place when nothing can fail any more.
// One that finishes a product can follow it at once where what comes later in the trace neither fails nor
// reads the cell.
bool may_follow_product(const Plan& plan, const std::vector<bool>& runs, uint32_t folded,
                        const TraceWrite& write) {
  const Trace& trace = *plan.trace;
  const auto& values = trace.values();
  const auto& calls = trace.calls();
  const TraceCall& update = calls[values[write.value].index];
  uint32_t product = UINT32_MAX;
  for (const uint32_t v : update.inputs) {
    if (values[v].kind == Kind::produced && is_head(trace, calls[values[v].index])) product = values[v].index;
  }
  if (folded != kNone) product = folded;
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
  // A folded product runs in the call that it is folded into.
  const std::vector<uint32_t> folded = folded_products(plan, runs);
  for (const uint32_t c : folded) {
    if (c != kNone) runs[c] = false;
  }
  std::vector<uint32_t> missing(calls.size());
  std::vector<std::vector<uint32_t>> readers(calls.size());
  std::vector<int64_t> key(calls.size());  // of groups that a call can join: the count; 0: none
  for (uint32_t c = 0; c < calls.size(); ++c) {
    if (!runs[c]) continue;
    const bool group = is_groupable(plan, calls[c]);
    key[c] = group && folded[c] == kNone ? count_of(values[calls[c].outputs[0]]) : 0;
    std::vector<uint32_t> before;
    auto wait_for = [&](uint32_t v) {
      if (values[v].kind == Kind::produced && !plan.folded[v] && values[v].index != folded[c])
        before.push_back(values[v].index);
    };
    for (const uint32_t v : calls[c].inputs) wait_for(values[group ? plan.splats[v] : v].root);
    if (folded[c] != kNone) {
      for (const uint32_t v : calls[folded[c]].inputs) wait_for(values[v].root);
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
    const uint32_t product = folded[value.index];
    const bool safe = key[value.index] != 0 || product != kNone || calls[value.index].op->flags.in_place;
    late[value.index] =
        safe && readers[value.index].empty() && !may_follow_product(plan, runs, product, write);
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
        open != nullptr && open->group && !open->folded && open->calls.size() < kGroupCalls ? open->count : 0;
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
    if (folded[c] != kNone) {
      plan.steps.push_back({{folded[c]}, true, count_of(values[calls[c].outputs[0]]), true, true});
    } else if (is_head(trace, calls[c])) {
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

Plan make_plan(const Trace& trace, std::span<const uint32_t> results, bool fuse_updates) {
  Plan plan;
  plan.trace = &trace;
  plan.fuse_updates = fuse_updates;
  plan.results.assign(results.begin(), results.end());
  const std::vector<bool> needed = needed_calls(plan);
  schedule(plan, needed);
  drop_lone_heads(plan);
  place(plan);
  pair_steps(plan);
  choose_slopes(plan);
  return plan;
}

}  // namespace tapegrad::detail
