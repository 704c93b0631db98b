#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "autograd/export.h"
#include "nn/any_layer.h"

namespace tapegrad::nn {

// Layers of any types, one after the other. Parameters are called "0.weight", "0.bias", "1.weight", ….
// Copying one copies every layer into new cells, and throws ArgumentError if a layer cannot be copied.
class TAPEGRAD_API Sequential {
 public:
  // Sequential net(Linear(784, 256, rng), relu, Linear(256, 10, rng));
  template <SequentialLayer... Layers>
  explicit Sequential(Layers... layers) {
    layers_.reserve(sizeof...(Layers));
    (add(std::move(layers)), ...);
  }

  template <SequentialLayer M>
  Sequential& add(M layer) {
    layers_.emplace_back(std::move(layer));
    return *this;
  }
  size_t size() const { return layers_.size(); }

  // x through every layer. An error thrown on the way carries "in 1: Linear 784→256".
  Tensor operator()(const Arg& x) const;

  static void fields(auto& self, auto&& f) { f.elements(self.layers_); }

 private:
  std::vector<detail::LayerBox> layers_;
};

}  // namespace tapegrad::nn
