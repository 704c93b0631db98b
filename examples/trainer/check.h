#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nn/nn.h"

namespace trainer {

// What the gradient check of a net found.
struct GradientCheck {
  bool ok;
  std::string text;  // the verdict and its figures in a line; for a failure, the derivatives that fail
};

// Checks the gradients of the loss of `net` on these few samples: a float64 twin of the net against finite
// differences, at some entries of each parameter and along random directions, and the float32 gradients
// against the twin's.
GradientCheck check_gradients(const tapegrad::nn::FeedForward& net, const std::vector<int64_t>& sizes,
                              const std::vector<tapegrad::nn::Activation>& activations,
                              const tapegrad::Tensor& images, const tapegrad::Tensor& labels);

}  // namespace trainer
