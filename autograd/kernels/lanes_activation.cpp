// The lanes of activations beside relu, tanh and sigmoid.

#include "autograd/kernels/simd_targets.h"

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/lanes_activation.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/activation-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels {

template <>
void fill_lanes<LaneGroup::activation, HWY_TARGET>(LaneTable& table) {
  HWY_NAMESPACE::fill_range<kFirstActivation, kFirstTrigonometric>(table);
}

}  // namespace tapegrad::kernels
HWY_AFTER_NAMESPACE();
