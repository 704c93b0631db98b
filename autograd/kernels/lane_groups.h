#pragma once

// The lanes by the file that compiles them. Internal, not installed.

#include <cstdint>

#include "autograd/kernels/lanes.h"

namespace tapegrad::kernels {

enum class LaneGroup : uint8_t {
  arithmetic,
  elementary,
  activation,
  trigonometric,
  exponential,
  hyperbolic,
  error_function
};

// Fills in the kernels of the group's lanes for one of Highway's targets. Each lanes_*.cpp defines it for its
// group and every target that is compiled.
template <LaneGroup Group, int64_t Target>
void fill_lanes(LaneTable& table);

}  // namespace tapegrad::kernels
