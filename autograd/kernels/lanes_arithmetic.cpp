// The lanes of arithmetic, choices and roots.

#include "autograd/kernels/simd_targets.h"

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/lanes_arithmetic.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/arithmetic-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels {

template <>
void fill_lanes<LaneGroup::arithmetic, HWY_TARGET>(LaneTable& table) {
  HWY_NAMESPACE::fill_range<Lane{}, kFirstElementary>(table);
}

}  // namespace tapegrad::kernels
HWY_AFTER_NAMESPACE();
