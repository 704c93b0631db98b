#pragma once

// The ops of each file of this folder, for the registry. Internal, not installed.

#include <span>

#include "autograd/op.h"

namespace tapegrad::ops {

std::span<const Op* const> pointwise();
std::span<const Op* const> pointwise_backward();
std::span<const Op* const> reduce();
std::span<const Op* const> extremes();
std::span<const Op* const> product();
std::span<const Op* const> statistics();
std::span<const Op* const> vector_norm();
std::span<const Op* const> softmax();
std::span<const Op* const> scan();
std::span<const Op* const> sort();
std::span<const Op* const> linalg();
std::span<const Op* const> layout();
std::span<const Op* const> index();
std::span<const Op* const> loss();
std::span<const Op* const> state();

}  // namespace tapegrad::ops
