#include "nn/data/normalize.h"

#include "autograd/apply.h"
#include "autograd/ops.h"
#include "autograd/raise.h"
#include "nn/layer_call.h"
#include "nn/text.h"

namespace tapegrad::nn {

Normalize::Normalize(const Tensor& inputs) {
  if (!is_floating(inputs.dtype()))
    raise<DTypeError>("[Normalize] expected float32 or float64 inputs, given {}", describe(inputs));
  if (inputs.rank() == 0 || inputs.size(0) < 1)
    raise<ShapeError>("[Normalize] expected at least one sample, given {}", describe(inputs));
  const Tensor wide = cast(inputs.detach(), float64);
  const Tensor spread = tapegrad::std(wide, Dims{0}, 0);
  const Tensor constant = eq(amax(wide, Dims{0}), amin(wide, Dims{0}));
  mean = Buffer(cast(tapegrad::mean(wide, Dims{0}), inputs.dtype()));
  std = Buffer(cast(where(constant, ones(spread.shape(), float64), spread), inputs.dtype()));
}

Tensor Normalize::operator()(const Arg& x) const {
  CallSite site(x);
  LayerCall call(this);
  return call.result((x - mean) / std);
}

}  // namespace tapegrad::nn
