#pragma once

// Internal, not installed.

#include "autograd/profile.h"

namespace tapegrad::detail {

// Fills profile.ops from profile.records.
void sum_up_ops(Profile& profile);

}  // namespace tapegrad::detail
