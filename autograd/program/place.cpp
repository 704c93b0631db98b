// Where the values of a plan lie.

#include <algorithm>
#include <map>

#include "autograd/program/plan.h"

namespace tapegrad::detail {
namespace {

using Kind = TraceValue::Kind;
constexpr uint32_t kNone = UINT32_MAX;

size_t rounded(const TraceValue& value) {
  const size_t bytes = static_cast<size_t>(count_of(value)) * element_size(value.dtype);
  return std::max<size_t>(64, (bytes + 63) & ~size_t{63});
}

class Placement {
 public:
  explicit Placement(Plan& plan) : plan_(plan), trace_(*plan.trace), values_(trace_.values()) {}

  void run() {
    plan_.places.resize(values_.size());
    last_call_.assign(values_.size(), 0);
    made_by_.assign(values_.size(), kNone);
    outside_.resize(values_.size());
    note_uses();
    give_fixed_homes();
    choose_updates();
    for (uint32_t s = 0; s < plan_.steps.size(); ++s) {
      if (plan_.steps[s].group) assign_scratch(s);
    }
    lay_out_arena();
  }

 private:
  template <class F>
  void for_reads(const Step& step, size_t at, F f) const {
    for (const uint32_t v : trace_.calls()[step.calls[at]].inputs) {
      const uint32_t source = step.group && !step.is_head(at) ? plan_.splats[v] : v;
      if (values_[source].kind != Kind::number) f(values_[source].root);
    }
  }

  // Fills in first and last steps, and which values are read beyond the step that makes them.
  void note_uses() {
    for (uint32_t s = 0; s < plan_.steps.size(); ++s) {
      const Step& step = plan_.steps[s];
      for (uint32_t at = 0; at < step.calls.size(); ++at) {
        const TraceCall& call = trace_.calls()[step.calls[at]];
        for_reads(step, at, [&](uint32_t root) {
          plan_.places[root].last = s;
          last_call_[root] = at;
          if (made_by_[root] != s) outside_[root] = true;
        });
        for (const uint32_t v : call.outputs) {
          if (values_[v].root != v) continue;
          plan_.places[v].first = plan_.places[v].last = s;
          made_by_[v] = s;
          if (!step.group) outside_[v] = true;
        }
      }
    }
    const auto end = static_cast<uint32_t>(plan_.steps.size());
    auto keep = [&](uint32_t v) {
      const uint32_t root = values_[v].root;
      plan_.places[root].last = end;
      outside_[root] = true;
    };
    for (const uint32_t v : plan_.results) keep(v);
    for (const TraceWrite& write : trace_.writes()) keep(write.value);
  }

  void give_fixed_homes() {
    for (uint32_t v = 0; v < values_.size(); ++v) {
      Place& place = plan_.places[v];
      place.bytes = values_[v].kind == Kind::number ? 0 : rounded(values_[v]);
      if (plan_.folded[v]) {
        place.home = values_[v].kind == Kind::number ? Home::none : Home::constant;
      } else if (values_[v].kind == Kind::input) {
        place.home = Home::input;
        place.index = values_[v].index;
      } else if (values_[v].kind == Kind::cell) {
        place.home = Home::cell;
        place.index = static_cast<uint32_t>(plan_.cells.size());
        plan_.cells.push_back(values_[v].cell);
      } else if (values_[v].root == v && made_by_[v] != kNone && outside_[v]) {
        place.home = Home::arena;
      }
    }
    for (const uint32_t v : plan_.results) {
      Place& place = plan_.places[values_[v].root];
      if (place.home != Home::arena) continue;
      place.home = Home::result;
      place.index = static_cast<uint32_t>(plan_.roots.size());
      plan_.roots.push_back(values_[v].root);
    }
  }

  bool cannot_fail(const Step& step) const {
    return std::all_of(step.calls.begin(), step.calls.end(),
                       [&](uint32_t c) { return never_throws(trace_, trace_.calls()[c]); });
  }
  // Whether the product that the step begins with reads the value: it does until the last slice.
  bool head_reads(const Step& step, uint32_t root) const {
    bool reads = false;
    if (step.head) for_reads(step, 0, [&](uint32_t v) { reads = reads || v == root; });
    return reads;
  }

  // A write can go straight into the cell's memory when a pointwise op or one with the flag in_place makes
  // the value, nobody reads what the cell held after that, and nothing that might throw comes later.
  void choose_updates() {
    uint32_t safe = static_cast<uint32_t>(plan_.steps.size());
    while (safe > 0 && cannot_fail(plan_.steps[safe - 1])) --safe;
    for (uint32_t w = 0; w < trace_.writes().size(); ++w) {
      const TraceWrite& write = trace_.writes()[w];
      const uint32_t v = write.value;
      Place& place = plan_.places[v];
      if (values_[v].root != v || place.home != Home::arena || place.first < safe || !writes_in_place(v) ||
          read_late(write) || written_twice(v)) {
        plan_.copies.push_back(w);
        continue;
      }
      place.home = Home::update;
      place.index = static_cast<uint32_t>(plan_.updates.size());
      plan_.updates.push_back(w);
    }
  }

  bool writes_in_place(uint32_t v) const {
    const Step& step = plan_.steps[plan_.places[v].first];
    if (!step.group) return trace_.calls()[step.calls[0]].op->flags.in_place;
    return !step.is_head(call_in_step(v));
  }
  // Whether the cell's old value is needed when the new one has been written.
  bool read_late(const TraceWrite& write) const {
    const Place& made = plan_.places[write.value];
    for (uint32_t v = 0; v < values_.size(); ++v) {
      if (values_[v].kind != Kind::cell || values_[v].cell.handle() != write.cell.handle()) continue;
      const Place& old = plan_.places[v];
      if (old.last > made.first || (old.last == made.first && last_call_[v] > call_in_step(write.value)) ||
          head_reads(plan_.steps[made.first], v)) {
        return true;
      }
    }
    return false;
  }
  uint32_t call_in_step(uint32_t v) const {
    const Step& step = plan_.steps[plan_.places[v].first];
    for (uint32_t at = 0; at < step.calls.size(); ++at) {
      if (trace_.calls()[step.calls[at]].outputs[0] == v) return at;
    }
    return 0;
  }
  bool written_twice(uint32_t v) const {
    const auto& writes = trace_.writes();
    return std::count_if(writes.begin(), writes.end(),
                         [&](const TraceWrite& w) { return values_[w.value].root == v; }) > 1;
  }

  // Gives the values that stay within the group a slot each; one that finds none goes to the arena.
  void assign_scratch(uint32_t s) {
    const Step& step = plan_.steps[s];
    std::vector<uint32_t> free;
    for (uint32_t k = kGroupScratch; k-- > 0;) free.push_back(k);
    for (uint32_t at = 0; at < step.calls.size(); ++at) {
      const TraceCall& call = trace_.calls()[step.calls[at]];
      const uint32_t v = call.outputs[0];
      if (step.is_head(at)) {
        if (plan_.places[v].home == Home::none) plan_.places[v].home = Home::slice;
        continue;
      }
      std::vector<uint32_t> ending;
      for_reads(step, at, [&](uint32_t root) {
        const bool ends = plan_.places[root].home == Home::scratch && last_call_[root] == at;
        if (ends && std::find(ending.begin(), ending.end(), root) == ending.end()) ending.push_back(root);
      });
      // A kernel may write where it reads elements of the same size.
      auto release_slots = [&](bool same_size) {
        for (const uint32_t root : ending) {
          const bool same = element_size(values_[root].dtype) == element_size(values_[v].dtype);
          if (same == same_size) free.push_back(plan_.places[root].index);
        }
      };
      release_slots(true);
      Place& place = plan_.places[v];
      if (place.home == Home::none) {
        place.home = free.empty() ? Home::arena : Home::scratch;
        if (!free.empty()) {
          place.index = free.back();
          free.pop_back();
        }
        // A result that nothing reads needs its slot no longer.
        if (place.home == Home::scratch && place.last == place.first && !is_read(step, v))
          free.push_back(place.index);
      }
      release_slots(false);
    }
  }
  bool is_read(const Step& step, uint32_t v) {
    bool read = false;
    for (size_t at = 0; at < step.calls.size(); ++at) {
      for_reads(step, at, [&](uint32_t root) { read = read || root == v; });
    }
    return read;
  }

  void lay_out_arena() {
    std::vector<std::vector<uint32_t>> made(plan_.steps.size()), ends(plan_.steps.size() + 1);
    for (uint32_t v = 0; v < values_.size(); ++v) {
      if (plan_.places[v].home != Home::arena) continue;
      made[plan_.places[v].first].push_back(v);
      ends[plan_.places[v].last].push_back(v);
    }
    std::vector<bool> taken_over(values_.size());
    for (uint32_t s = 0; s < plan_.steps.size(); ++s) {
      for (const uint32_t v : made[s]) {
        const uint32_t dying = heir_to(v, ends[s], taken_over);
        if (dying != kNone) {
          taken_over[dying] = true;
          plan_.places[v].reuses = dying;
          plan_.places[v].offset = plan_.places[dying].offset;
        } else {
          plan_.places[v].offset = allocate(plan_.places[v].bytes);
        }
      }
      for (const uint32_t v : ends[s]) {
        if (!taken_over[v]) release(plan_.places[v].offset, plan_.places[v].bytes);
      }
    }
  }

  // A value of the same kind that a pointwise step reads for the last time no later than it writes v.
  uint32_t heir_to(uint32_t v, const std::vector<uint32_t>& dying,
                   const std::vector<bool>& taken_over) const {
    const uint32_t s = plan_.places[v].first;
    if (!plan_.steps[s].group) return kNone;
    for (const uint32_t old : dying) {
      if (taken_over[old] || plan_.places[old].first == s || values_[old].dtype != values_[v].dtype) continue;
      if (count_of(values_[old]) != count_of(values_[v]) || last_call_[old] > call_in_step(v)) continue;
      if (head_reads(plan_.steps[s], old)) continue;
      return old;
    }
    return kNone;
  }

  // The smallest gap that is large enough, else the end.
  size_t allocate(size_t bytes) {
    auto best = gaps_.end();
    for (auto gap = gaps_.begin(); gap != gaps_.end(); ++gap) {
      if (gap->second >= bytes && (best == gaps_.end() || gap->second < best->second)) best = gap;
    }
    if (best == gaps_.end()) {
      size_t offset = end_;
      if (!gaps_.empty()) {  // a gap at the end grows
        const auto last = std::prev(gaps_.end());
        if (last->first + last->second == end_) {
          offset = last->first;
          gaps_.erase(last);
        }
      }
      end_ = offset + bytes;
      plan_.arena_bytes = std::max(plan_.arena_bytes, end_);
      return offset;
    }
    const auto [offset, size] = *best;
    gaps_.erase(best);
    if (size > bytes) gaps_[offset + bytes] = size - bytes;
    return offset;
  }
  void release(size_t offset, size_t bytes) {
    const auto after = gaps_.lower_bound(offset);
    if (after != gaps_.end() && offset + bytes == after->first) {
      bytes += after->second;
      gaps_.erase(after);
    }
    const auto next = gaps_.lower_bound(offset);
    if (next != gaps_.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == offset) {
        before->second += bytes;
        return;
      }
    }
    gaps_[offset] = bytes;
  }

  Plan& plan_;
  const Trace& trace_;
  const std::vector<TraceValue>& values_;
  std::vector<uint32_t> last_call_;  // of each root: the place within its last step of the call that reads it
  std::vector<uint32_t> made_by_;
  std::vector<bool> outside_;
  std::map<size_t, size_t> gaps_;  // free parts of the arena: offset → bytes
  size_t end_ = 0;
};

}  // namespace

void place(Plan& plan) { Placement(plan).run(); }

std::string overlap(const Plan& plan) {
  const auto& places = plan.places;
  for (uint32_t a = 0; a < places.size(); ++a) {
    for (uint32_t b = a + 1; b < places.size(); ++b) {
      const Place &x = places[a], &y = places[b];
      if (x.home != Home::arena || y.home != Home::arena) continue;
      if (x.offset + x.bytes <= y.offset || y.offset + y.bytes <= x.offset) continue;
      if (x.last < y.first || y.last < x.first) continue;
      if ((y.reuses == a && x.last == y.first) || (x.reuses == b && y.last == x.first)) continue;
      return "values " + std::to_string(a) + " and " + std::to_string(b);
    }
  }
  return {};
}

}  // namespace tapegrad::detail
