#pragma once

// How near the values of an op are to the exact ones.

#include <algorithm>
#include <cmath>

#include "autograd/op.h"

namespace tapegrad::testing {

// Pointwise kernels that state no bound are held to a distance in units of the last place of each element.
// The others add up to a few dozen terms of size 1, so they are held to that many roundings of the largest
// element, or of 1.
inline constexpr double kPointwiseUlp = 4;
inline constexpr double kRoundings = 64;

inline double last_place(double value, DType dtype) {
  const int digits = dtype == float32 ? 23 : 52;
  const int lowest = dtype == float32 ? -126 : -1022;
  const int exponent = value == 0 ? lowest : std::max(std::ilogb(value), lowest);
  return std::ldexp(1.0, exponent - digits);
}

// Whether an op's error is counted by the place of each element. mul_add rounds its product before the sum
// may cancel it.
inline bool is_held_by_element(const Op& op, DType dtype) {
  return op.pointwise[static_cast<int>(dtype)] != nullptr && op.name != "mul_add";
}

// The bound that the op states, or else the one it is held to; 0.5 where it rounds correctly.
inline double ulp_of(const Op& op, DType dtype) {
  const double stated = dtype == float32 ? op.ulp.float32 : op.ulp.float64;
  return stated > 0 ? stated : kPointwiseUlp;
}

inline bool same_special(double got, double expected) {
  return (std::isnan(got) && std::isnan(expected)) || got == expected;
}

}  // namespace tapegrad::testing
