#include "nn/neuron.h"

#include "autograd/apply.h"
#include "autograd/ops.h"
#include "nn/check.h"
#include "nn/layer_call.h"

namespace tapegrad::nn {

Neuron::Neuron(int64_t in, const Activation& activation, Rng& rng, const Initializer& init, DType dtype)
    : weight(reshape(init.weight(1, checked_inputs("Neuron", in, 1), rng, dtype), {in})),
      bias(reshape(init.bias(1, in, rng, dtype), {})),
      activation(activation) {}

Tensor Neuron::operator()(const Arg& x) const {
  CallSite site(x);
  LayerCall call(this);
  return call.result(activation(matmul(x, weight) + bias));
}

}  // namespace tapegrad::nn
