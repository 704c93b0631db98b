#pragma once

#include <cstdint>
#include <vector>

#include "autograd/arg.h"
#include "autograd/export.h"
#include "nn/layer.h"

namespace tapegrad::nn {

// A feed-forward network: a(0) = x, a(l) = sigma_l(W(l) a(l−1) + w0(l)) for l = 1 … L. layers[l−1] holds
// W(l), w0(l) and sigma_l; the parameters are called "layers.0.weight", "layers.0.bias" and so on.
struct TAPEGRAD_API FeedForward {
  std::vector<Layer> layers;

  // sizes are the numbers of inputs and of neurons in each layer, activations one per layer:
  //   FeedForward net{{784, 256, 10}, {relu, identity}, rng};
  // Layers are drawn from the first to the last. Throws ArgumentError when fewer than two sizes are given,
  // when the activations are not one per layer, or for a size below 1.
  FeedForward(const std::vector<int64_t>& sizes, const std::vector<Activation>& activations, Rng& rng,
              const Initializer& init = gaussian, DType dtype = float32);

  // x [in] or [batch, in] → [out] or [batch, out]. An error thrown on the way names the caller's line and
  // carries "in layers.1: Layer 784→256".
  Tensor operator()(const Arg& x) const;

  int64_t inputs() const { return layers.front().inputs(); }
  int64_t outputs() const { return layers.back().outputs(); }
  static void fields(auto& self, auto&& f) { f("layers", self.layers); }
};

}  // namespace tapegrad::nn
