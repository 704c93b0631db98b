#pragma once

#include <cstdint>

#include "autograd/arg.h"
#include "autograd/export.h"
#include "autograd/parameter.h"
#include "nn/activation.h"
#include "nn/init.h"

namespace tapegrad::nn {

// Neurons in parallel: a = sigma(W x + w0). x [in] is one sample and gives [out]; the rows of x [batch, in]
// are samples and give [batch, out].
struct TAPEGRAD_API Layer {
  Parameter weight;  // W, [out, in]: row k holds the weights of neuron k
  Parameter bias;    // w0, [out]
  Activation activation;

  // Draws the weight first, then the bias. Throws ArgumentError unless in and out are at least 1, DTypeError
  // unless dtype is floating.
  Layer(int64_t in, int64_t out, const Activation& activation, Rng& rng, const Initializer& init = gaussian,
        DType dtype = float32);

  // Throws ShapeError or DTypeError, naming the caller's line.
  Tensor operator()(const Arg& x) const;

  int64_t inputs() const { return weight.shape()[1]; }
  int64_t outputs() const { return weight.shape()[0]; }
  static void fields(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
  }
};

}  // namespace tapegrad::nn
