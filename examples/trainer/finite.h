#pragma once

#include "autograd/autograd.h"

namespace trainer {

// x itself; throws a NumericError where x holds a NaN or an infinity. An op, so that a recorded step stops
// before it touches the weights too.
tapegrad::Tensor check_finite(const tapegrad::Arg& x);

}  // namespace trainer
