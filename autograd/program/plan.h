#pragma once

// A trace made ready to be replayed: which calls run in which order, and where each value lies. Internal, not
// installed.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "autograd/program.h"
#include "autograd/program/trace.h"

namespace tapegrad::detail {

// Where the memory of a value is.
enum class Home : uint8_t {
  none,      // has no memory of its own, or nothing needs it
  scratch,   // within a group, in the block's own memory
  constant,  // in the trace
  input,     // the caller's
  cell,      // what the cell holds when a run begins
  arena,
  result,  // handed to the caller
  update,  // written over what the cell holds
};

// A value with memory of its own; views share the one of their root.
struct Place {
  Home home = Home::none;
  uint32_t index = 0;            // which slot, input, cell, result or update
  size_t offset = 0;             // in the arena
  size_t bytes = 0;              // rounded up to 64
  uint32_t first = 0, last = 0;  // the steps that write it and read it last
  uint32_t reuses = UINT32_MAX;  // the value whose memory it takes over while that one is read
};

// One op, or a run of pointwise ops on `count` elements that are walked together block by block.
struct Step {
  std::vector<uint32_t> calls;
  bool group = false;
  int64_t count = 0;
};

inline constexpr size_t kGroupScratch = 24;  // values of a group that are in scratch at once

struct Plan {
  const Trace* trace = nullptr;
  std::vector<uint32_t> results;  // values
  std::vector<Step> steps;
  std::vector<Place> places;      // of each value; a view's is its root's
  std::vector<uint32_t> splats;   // of each value: the single element it repeats, or itself
  std::vector<bool> folded;       // values that are the same in every run
  std::vector<uint32_t> roots;    // results with memory of their own, by Place::index
  std::vector<CellRef> cells;     // those read, by Place::index
  std::vector<uint32_t> updates;  // entries of trace->writes() done in place, by Place::index
  std::vector<uint32_t> copies;   // the others
  size_t arena_bytes = 0;
  size_t dropped = 0;  // calls that nothing needs
};

// What is held at once while the plan runs.
MemoryPlan memory_of(const Plan& plan);

Plan make_plan(const Trace& trace, std::span<const uint32_t> results);

// What a plan does, for people.
std::string to_string(const Plan& plan);

// In words, two values that overlap in the arena while both are needed; empty where there are none.
std::string overlap(const Plan& plan);

// ---- the stages of make_plan ----

// True for a pointwise op that can run in a group, on operands of one size and single elements.
bool is_groupable(const Plan& plan, const TraceCall& call);
// Which calls run at all, and which results are the same every time.
std::vector<bool> needed_calls(Plan& plan);
// The steps, in an order that makes groups long.
void schedule(Plan& plan, const std::vector<bool>& needed);
// Where everything lies.
void place(Plan& plan);

inline int64_t count_of(const TraceValue& value) {
  return value.kind == TraceValue::Kind::number ? 1 : value.shape.numel();
}

}  // namespace tapegrad::detail
