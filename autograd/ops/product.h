#pragma once

// Gradients of products. Internal, not installed.

#include "autograd/ops/scan.h"

namespace tapegrad::ops {

// The gradient of running_product: Σ_{k≥i} g_k·Π_{j≤k, j≠i} x_j.
Tensor running_product_backward(const Arg& g, const Arg& x, const ScanOptions& options);

}  // namespace tapegrad::ops
