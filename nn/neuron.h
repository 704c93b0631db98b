#pragma once

#include <cstdint>

#include "autograd/arg.h"
#include "autograd/export.h"
#include "autograd/parameter.h"
#include "nn/activation.h"
#include "nn/init.h"

namespace tapegrad::nn {

// One neuron: a = sigma(w·x + w0). x [in] is one sample and gives 0-d; x [batch, in] gives [batch].
struct TAPEGRAD_API Neuron {
  Parameter weight;  // w, [in]
  Parameter bias;    // w0, 0-d
  Activation activation;

  // Draws the weight first, then the bias. Throws ArgumentError unless in is at least 1, DTypeError unless
  // dtype is floating.
  Neuron(int64_t in, const Activation& activation, Rng& rng, const Initializer& init = gaussian,
         DType dtype = float32);

  // Throws ShapeError or DTypeError, naming the caller's line.
  Tensor operator()(const Arg& x) const;

  int64_t inputs() const { return weight.shape()[0]; }
  int64_t outputs() const { return 1; }
  static void fields(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
  }
};

}  // namespace tapegrad::nn
