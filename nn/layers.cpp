#include "nn/layers.h"

#include "autograd/apply.h"
#include "autograd/ops.h"
#include "nn/activation.h"
#include "nn/check.h"
#include "nn/layer_call.h"

namespace tapegrad::nn {

Dropout::Dropout(double p, Rng& rng) : p(p), state(rng.state()) {
  if (!(p >= 0 && p <= 1)) raise<ArgumentError>("[Dropout] p must be in [0, 1], given {}", p);
}

Tensor Dropout::operator()(const Arg& x) const {
  CallSite site(x);
  LayerCall call(this);
  return call.result(training ? dropout(x, p, state) : detail::to_tensor(x));
}

Tensor Flatten::operator()(const Arg& x) const {
  CallSite site(x);
  LayerCall call(this);
  return call.result(flatten(x, start_dim, end_dim));
}

Embedding::Embedding(int64_t count, int64_t dim, Rng& rng, std::optional<int64_t> padding_idx, DType dtype)
    : padding_idx(padding_idx) {
  checked_inputs("Embedding", count, dim);
  if (padding_idx && (*padding_idx < 0 || *padding_idx >= count)) {
    raise<ArgumentError>("[Embedding] padding_idx must be in [0, {}), given {}", count, *padding_idx);
  }
  Tensor rows = rng.normal({count, dim}, dtype);
  if (padding_idx) rows = masked_fill(rows, eq(reshape(arange(0, count), {count, 1}), *padding_idx), 0);
  weight = Parameter(rows);
}

Tensor Embedding::operator()(const Arg& index) const {
  CallSite site(index);
  LayerCall call(this);
  return call.result(embedding(index, weight, padding_idx));
}

}  // namespace tapegrad::nn
