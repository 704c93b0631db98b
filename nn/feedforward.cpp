#include "nn/feedforward.h"

#include "autograd/apply.h"
#include "autograd/raise.h"
#include "nn/layer_call.h"
#include "nn/module.h"

namespace tapegrad::nn {

FeedForward::FeedForward(const std::vector<int64_t>& sizes, const std::vector<Activation>& activations,
                         Rng& rng, const Initializer& init, DType dtype) {
  if (sizes.size() < 2) {
    raise<ArgumentError>("[FeedForward] expected at least two sizes, inputs and outputs, given {}",
                         sizes.size());
  }
  if (activations.size() != sizes.size() - 1) {
    raise<ArgumentError>("[FeedForward] expected one activation per layer, {} of them, given {}",
                         sizes.size() - 1, activations.size());
  }
  layers.reserve(activations.size());
  for (size_t l = 0; l < activations.size(); ++l) {
    layers.emplace_back(sizes[l], sizes[l + 1], activations[l], rng, init, dtype);
  }
}

Tensor FeedForward::operator()(const Arg& x) const {
  CallSite site(x);
  LayerCall call(this);
  Tensor a = detail::to_tensor(x);
  size_t l = 0;
  try {
    for (; l < layers.size(); ++l) a = layers[l](a);
    return call.result(a);
  } catch (Error& error) {
    error.add_context(fmt::format("in layers.{}: {}", l, tapegrad::detail::label_of(layers[l])));
    throw;
  }
}

}  // namespace tapegrad::nn
