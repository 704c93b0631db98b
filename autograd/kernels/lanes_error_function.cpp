// The lanes of the error function, of gelu, and of their derivatives.

#include "autograd/kernels/simd_targets.h"

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/lanes_error_function.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/error_function-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels {

template <>
void fill_lanes<LaneGroup::error_function, HWY_TARGET>(LaneTable& table) {
  HWY_NAMESPACE::fill_range<kFirstErrorFunction, Lane::count>(table);
}

}  // namespace tapegrad::kernels
HWY_AFTER_NAMESPACE();
