// The lanes of exponentials and logarithms of other bases, and of logarithms of two operands.

#include "autograd/kernels/simd_targets.h"

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/lanes_exponential.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/exponential-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels {

template <>
void fill_lanes<LaneGroup::exponential, HWY_TARGET>(LaneTable& table) {
  HWY_NAMESPACE::fill_range<kFirstExponential, kFirstHyperbolic>(table);
}

}  // namespace tapegrad::kernels
HWY_AFTER_NAMESPACE();
