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
  slice,     // the product that a group begins with, of which only a few slices are there at once
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

inline constexpr uint32_t kNoStep = UINT32_MAX;

// One op, or a run of pointwise ops on `count` elements that are walked together block by block. With `head`
// the first call is a matrix product of as many elements, and the walk goes along behind it, slice by slice.
struct Step {
  std::vector<uint32_t> calls;
  bool group = false;
  int64_t count = 0;
  bool head = false;
  bool folded =
      false;  // a head whose product is added to what the second call adds it to, in the product itself
  uint32_t beside =
      kNoStep;  // the later step that is done in one pass with the head, which reads the same matrix
  bool done_before = false;  // that step

  bool is_head(size_t at) const { return head && at == 0; }
};

inline constexpr size_t kGroupCalls = 64;  // of a group: blocks of a longer one would not fit the first cache
inline constexpr size_t kGroupScratch = 24;    // values of a group that are in scratch at once
inline constexpr int64_t kGroupBlock = 256;    // elements of a block, at least
inline constexpr int64_t kDirectCount = 1024;  // a group of as many elements is walked in one go
inline constexpr int64_t kSliceBytes = 65536;  // of a product that are in the slice at once

// A backward call (g, x, y) that only multiplies g by a slope. That is computed at the end of an earlier
// step, off the way from the loss to the gradients, and stands in the place of x, which nobody else reads any
// more.
struct Slope {
  uint32_t step, backward;
};

struct Plan {
  const Trace* trace = nullptr;
  bool fuse_updates = false;
  std::vector<uint32_t> results;  // values
  std::vector<Step> steps;
  std::vector<Place> places;      // of each value; a view's is its root's
  std::vector<uint32_t> splats;   // of each value: the single element it repeats, or itself
  std::vector<bool> folded;       // values that are the same in every run
  std::vector<uint32_t> roots;    // results with memory of their own, by Place::index
  std::vector<CellRef> cells;     // those read, by Place::index
  std::vector<uint32_t> updates;  // entries of trace->writes() done in place, by Place::index
  std::vector<uint32_t> copies;   // the others
  std::vector<Slope> slopes;
  size_t arena_bytes = 0;
  size_t dropped = 0;  // calls that nothing needs
};

// What is held at once while the plan runs.
MemoryPlan memory_of(const Plan& plan);

// With fuse_updates, products that are only a step of a cell add to the cell themselves; see ProgramOptions.
Plan make_plan(const Trace& trace, std::span<const uint32_t> results, bool fuse_updates = false);

// What a plan does, for people.
std::string to_string(const Plan& plan);

// In words, two values that overlap in the arena while both are needed; empty where there are none.
std::string overlap(const Plan& plan);

// ---- the stages of make_plan ----

// True for a pointwise op that can run in a group, on operands of one size and single elements.
bool is_groupable(const Plan& plan, const TraceCall& call);
// True for a product that a group can begin with.
bool is_head(const Trace& trace, const TraceCall& call);
// True for a call that cannot fail, whatever the elements are.
bool never_throws(const Trace& trace, const TraceCall& call);
// Which calls run at all, and which results are the same every time.
std::vector<bool> needed_calls(Plan& plan);
// The steps, in an order that makes groups long.
void schedule(Plan& plan, const std::vector<bool>& needed);
// Where everything lies.
void place(Plan& plan);
// True for a head followed by a step of a matrix along it that is one kernel: a product of vectors, or
// folded.
bool is_move(const Plan& plan, const Step& step);
// Finds steps of matrices that can be done together with a product that reads the matrix before.
void pair_steps(Plan& plan);
// Finds slopes that can be computed before they are needed.
void choose_slopes(Plan& plan);

inline int64_t count_of(const TraceValue& value) {
  return value.kind == TraceValue::Kind::number ? 1 : value.shape.numel();
}

}  // namespace tapegrad::detail
