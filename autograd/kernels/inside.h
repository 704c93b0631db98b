#pragma once

// Whether an index lies within its bounds. Internal, not installed.

#include <cstdint>

namespace tapegrad::kernels {

// The place of the first of `count` entries that is outside [0, n), or −1 if there is none.
int64_t first_outside(const int64_t* index, int64_t count, int64_t n);

}  // namespace tapegrad::kernels
