#include "autograd/kernels/dispatch.h"

#include "autograd/kernels/simd_targets.h"

#include <hwy/highway.h>
#include <hwy/targets.h>

#include "autograd/kernels/lanes.h"

namespace tapegrad::kernels {
namespace {

// The place of a target in the tables of HWY_EXPORT, which have one entry where a single target is compiled.
int index_of(int64_t target) {
  if constexpr ((HWY_TARGETS & (HWY_TARGETS - 1)) == 0) return 0;
  hwy::ChosenTarget chosen;
  chosen.Update(target);
  return static_cast<int>(chosen.GetIndex());
}

int64_t targets() { return (hwy::SupportedTargets() & HWY_TARGETS) | HWY_STATIC_TARGET; }

// Targets are bits, the better ones lower.
int64_t nth_target(int i) {
  int64_t rest = targets();
  for (; i > 0 && (rest & (rest - 1)) != 0; --i) rest &= rest - 1;
  return rest & -rest;
}

}  // namespace

std::atomic<int> detail::target_index{-1};

int detail::find_target_index() {
  const int index = index_of(nth_target(0));
  target_index.store(index, std::memory_order_relaxed);
  return index;
}

int target_count() {
  int n = 0;
  for (int64_t rest = targets(); rest != 0; rest &= rest - 1) ++n;
  return n;
}

const char* target_name(int i) { return hwy::TargetName(nth_target(i)); }

void use_target(int i) {
  detail::target_index.store(index_of(nth_target(i)), std::memory_order_relaxed);
  detail::lanes_in_use.store(lane_table_for(target_name(i)), std::memory_order_relaxed);
}

}  // namespace tapegrad::kernels
