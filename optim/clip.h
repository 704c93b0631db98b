#pragma once

#include "autograd/export.h"
#include "autograd/gradients.h"

namespace tapegrad::optim {

struct ClipOptions {
  double norm_type = 2;             // p of the norm, infinity for the largest magnitude
  bool error_if_nonfinite = false;  // throw a NumericError where the norm is NaN or infinite
};

struct Clipped {
  Gradients gradients;
  Tensor norm;  // of all gradients together, before: float64, 0-d
};

// The gradients of parameters, all multiplied by max_norm / (norm + 1e-6) where that is below 1, so that
// their norm as one vector is at most max_norm; PyTorch's rule. Gradients of watched tensors neither count
// nor change. A norm of 0 changes nothing; an infinite one gives 0, and NaN where a gradient is infinite; a
// NaN one gives NaN everywhere. Inside a Program it clips anew in each run, but cannot look at the norm for
// an error. Throws ArgumentError for a max_norm that is negative or NaN or a norm_type that is not above 0,
// and NumericError, naming the parameters, as the options ask.
TAPEGRAD_API Clipped clip_grad_norm(const Gradients& gradients, double max_norm, ClipOptions options = {});

// Every element of the gradients of parameters brought into [−clip_value, clip_value]; NaN stays. Throws
// ArgumentError for a clip_value that is negative or NaN.
TAPEGRAD_API Gradients clip_grad_value(const Gradients& gradients, double clip_value);

}  // namespace tapegrad::optim
