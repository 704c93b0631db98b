#include "autograd/kernels/simd_targets.h"

#include <hwy/highway.h>
#include <hwy/targets.h>

#include <utility>

#include "autograd/kernels/lane_groups.h"

namespace tapegrad::kernels {
namespace {

struct Tables {
  LaneTable of[8];
  const LaneTable* list[8];
  size_t count = 0;

  Tables() { add(std::make_index_sequence<63>{}, hwy::SupportedTargets() | HWY_STATIC_TARGET); }

  // Targets are bits, the better ones lower.
  template <size_t... Bit>
  void add(std::index_sequence<Bit...>, int64_t supported) {
    (add_target<int64_t{1} << Bit>(supported), ...);
  }
  template <int64_t Target>
  void add_target(int64_t supported) {
    if constexpr ((HWY_TARGETS & Target) != 0) {
      if ((supported & Target) == 0) return;
      LaneTable& table = of[count];
      table.target = hwy::TargetName(Target);
      fill_lanes<LaneGroup::arithmetic, Target>(table);
      fill_lanes<LaneGroup::elementary, Target>(table);
      fill_lanes<LaneGroup::activation, Target>(table);
      fill_lanes<LaneGroup::trigonometric, Target>(table);
      fill_lanes<LaneGroup::exponential, Target>(table);
      fill_lanes<LaneGroup::hyperbolic, Target>(table);
      fill_lanes<LaneGroup::error_function, Target>(table);
      list[count++] = &table;
    }
  }
};

}  // namespace

std::span<const LaneTable* const> lane_tables() {
  static const Tables tables;
  return {tables.list, tables.count};
}

std::atomic<const LaneTable*> detail::lanes_in_use{nullptr};

const LaneTable& detail::find_lanes() {
  const LaneTable* best = lane_tables().front();
  lanes_in_use.store(best, std::memory_order_relaxed);
  return *best;
}

const LaneTable* lane_table_for(std::string_view target) {
  for (const LaneTable* table : lane_tables()) {
    if (table->target == target) return table;
  }
  return nullptr;
}

}  // namespace tapegrad::kernels
