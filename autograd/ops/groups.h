#pragma once

// The ops of each file of this folder, for the registry. Internal, not installed.

#include <span>

#include "autograd/op.h"

namespace tapegrad::ops {

std::span<const Op* const> pointwise();
std::span<const Op* const> choice();
std::span<const Op* const> pointwise_backward();
std::span<const Op* const> activation();
std::span<const Op* const> rounding();
std::span<const Op* const> logic();
std::span<const Op* const> trigonometric();
std::span<const Op* const> trigonometric_backward();
std::span<const Op* const> exponential();
std::span<const Op* const> hyperbolic();
std::span<const Op* const> error_function();
std::span<const Op* const> reduce();
std::span<const Op* const> extremes();
std::span<const Op* const> product();
std::span<const Op* const> statistics();
std::span<const Op* const> vector_norm();
std::span<const Op* const> softmax();
std::span<const Op* const> scan();
std::span<const Op* const> sort();
std::span<const Op* const> matrix_product();
std::span<const Op* const> linear_layer();
std::span<const Op* const> products();
std::span<const Op* const> summation();
std::span<const Op* const> view();
std::span<const Op* const> order();
std::span<const Op* const> repeat();
std::span<const Op* const> parts();
std::span<const Op* const> join();
std::span<const Op* const> padding();
std::span<const Op* const> diagonals();
std::span<const Op* const> slices_by_index();
std::span<const Op* const> elements_by_index();
std::span<const Op* const> rows_by_index();
std::span<const Op* const> mask();
std::span<const Op* const> regression_losses();
std::span<const Op* const> binary_losses();
std::span<const Op* const> divergences();
std::span<const Op* const> class_losses();
std::span<const Op* const> nll();
std::span<const Op* const> state();

}  // namespace tapegrad::ops
