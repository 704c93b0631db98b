#pragma once

#include <cstdint>

#include "autograd/arg.h"
#include "autograd/export.h"
#include "autograd/parameter.h"
#include "nn/init.h"

namespace tapegrad::nn {

// z = W x + w0: x [..., in] → [..., out].
struct TAPEGRAD_API Linear {
  Parameter weight;  // [out, in]
  Parameter bias;    // [out]

  // Draws the weight first, then the bias. Throws ArgumentError unless in and out are at least 1, DTypeError
  // unless dtype is floating.
  Linear(int64_t in, int64_t out, Rng& rng, const Initializer& init = kaiming_uniform, DType dtype = float32);

  // Throws ShapeError or DTypeError, as linear does, naming the caller's line.
  Tensor operator()(const Arg& x) const;

  int64_t inputs() const { return weight.shape()[1]; }
  int64_t outputs() const { return weight.shape()[0]; }
  static void fields(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
  }
};

}  // namespace tapegrad::nn
