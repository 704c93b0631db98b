// What a run of a plan holds.

#include <fmt/format.h>

#include <unordered_set>

#include "autograd/program/plan.h"

namespace tapegrad {
namespace detail {
namespace {

size_t bytes_of(const TraceValue& value) {
  return static_cast<size_t>(count_of(value)) * element_size(value.dtype);
}

}  // namespace

MemoryPlan memory_of(const Plan& plan) {
  const Trace& trace = *plan.trace;
  const auto& values = trace.values();
  MemoryPlan memory;
  memory.arena = plan.arena_bytes;
  for (const TraceValue& value : values) {
    if (value.kind == TraceValue::Kind::input) memory.inputs += bytes_of(value);
  }
  std::unordered_set<const Cell*> cells;
  const auto add_cell = [&](const CellRef& cell, const TraceValue& value) {
    if (cells.insert(cell.handle()).second) memory.cells += bytes_of(value);
  };
  for (const TraceValue& value : values) {
    if (value.kind == TraceValue::Kind::cell) add_cell(value.cell, value);
  }
  for (const TraceWrite& write : trace.writes()) add_cell(write.cell, values[write.value]);
  std::unordered_set<uint32_t> constants;
  const auto add_constant = [&](uint32_t v) {
    const uint32_t root = values[v].root;
    if (plan.places[root].home == Home::constant && constants.insert(root).second)
      memory.constants += bytes_of(values[root]);
  };
  for (const Step& step : plan.steps) {
    for (const uint32_t c : step.calls) {
      for (const uint32_t v : trace.calls()[c].inputs) add_constant(step.group ? plan.splats[v] : v);
    }
  }
  for (const uint32_t v : plan.results) add_constant(v);
  for (const uint32_t root : plan.roots) memory.results += bytes_of(values[root]);
  for (const uint32_t w : plan.copies) memory.results += bytes_of(values[trace.writes()[w].value]);
  return memory;
}

}  // namespace detail

std::string to_string(const MemoryPlan& memory) {
  return fmt::format(
      "{} bytes at once: inputs {}, cells {}, constants {}, arena {}, results and copies for cells {}\n",
      memory.peak(), memory.inputs, memory.cells, memory.constants, memory.arena, memory.results);
}

}  // namespace tapegrad
