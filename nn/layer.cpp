#include "nn/layer.h"

#include "autograd/apply.h"
#include "autograd/ops.h"
#include "nn/check.h"
#include "nn/layer_call.h"

namespace tapegrad::nn {

Layer::Layer(int64_t in, int64_t out, const Activation& activation, Rng& rng, const Initializer& init,
             DType dtype)
    : weight(init.weight(out, checked_inputs("Layer", in, out), rng, dtype)),
      bias(init.bias(out, in, rng, dtype)),
      activation(activation) {}

Tensor Layer::operator()(const Arg& x) const {
  CallSite site(x);
  LayerCall call(this);
  return call.result(activation(linear(x, weight, bias)));
}

}  // namespace tapegrad::nn
