// The lanes of hyperbolic functions and their inverses.

#include "autograd/kernels/simd_targets.h"

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/lanes_hyperbolic.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/hyperbolic-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels {

template <>
void fill_lanes<LaneGroup::hyperbolic, HWY_TARGET>(LaneTable& table) {
  HWY_NAMESPACE::fill_range<kFirstHyperbolic, kFirstErrorFunction>(table);
}

}  // namespace tapegrad::kernels
HWY_AFTER_NAMESPACE();
