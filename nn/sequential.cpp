#include "nn/sequential.h"

namespace tapegrad::nn {

Tensor Sequential::operator()(const Arg& x) const {
  CallSite site(x);
  LayerCall call(this);
  Tensor a = detail::to_tensor(x);
  for (size_t i = 0; i < layers_.size(); ++i) a = layers_[i].call(a, i);
  return call.result(a);
}

}  // namespace tapegrad::nn
