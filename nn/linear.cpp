#include "nn/linear.h"

#include "autograd/apply.h"
#include "autograd/ops.h"
#include "nn/check.h"
#include "nn/layer_call.h"

namespace tapegrad::nn {

Linear::Linear(int64_t in, int64_t out, Rng& rng, const Initializer& init, DType dtype)
    : weight(init.weight(out, checked_inputs("Linear", in, out), rng, dtype)),
      bias(init.bias(out, in, rng, dtype)) {}

Tensor Linear::operator()(const Arg& x) const {
  CallSite site(x);
  LayerCall call(this);
  return call.result(linear(x, weight, bias));
}

}  // namespace tapegrad::nn
