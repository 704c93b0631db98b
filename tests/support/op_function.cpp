#include "tests/support/op_function.h"

#include <cstring>

namespace tapegrad::testing {

OpFunction::OpFunction(const Op& op, const Sample& sample, bool repeated) : op_(&op), sample_(&sample) {
  const size_t free = sample.inputs.size() - (op.primal != nullptr ? 1 : 0);
  for (size_t i = 0; i < sample.inputs.size(); ++i) {
    const Tensor& x = sample.inputs[i];
    slot_.push_back(-1);
    if (i >= free || !is_floating(x.dtype()) || (op.constant_operands >> i & 1) != 0) continue;
    for (size_t v = 0; repeated && v < variables_.size(); ++v) {
      if (variables_[v].shape() == x.shape() && variables_[v].dtype() == x.dtype())
        slot_[i] = static_cast<int>(v);
    }
    if (slot_[i] >= 0) {
      // A cotangent comes first and takes any value; the operands after it may not.
      variables_[static_cast<size_t>(slot_[i])] = x;
      shares_ = true;
      continue;
    }
    slot_[i] = static_cast<int>(variables_.size());
    operand_.push_back(static_cast<int>(i));
    variables_.push_back(x);
  }
}

int64_t OpFunction::elements() const {
  int64_t count = 0;
  for (const Tensor& x : variables_) count += x.numel();
  return count;
}

std::vector<Tensor> OpFunction::outputs(std::span<const Tensor> x) const {
  std::vector<Tensor> inputs = sample_->inputs;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (slot_[i] >= 0) inputs[i] = x[static_cast<size_t>(slot_[i])];
  }
  if (op_->primal != nullptr) {
    inputs.back() = run(*op_->primal, std::span(inputs).subspan(1, inputs.size() - 2), {})[0];
  }
  return run(*op_, inputs, sample_->options.ref());
}

Tensor OpFunction::joined(std::span<const Tensor> x) const {
  std::vector<Tensor> floating;
  for (const Tensor& y : outputs(x)) {
    if (is_floating(y.dtype())) floating.push_back(y);
  }
  return floating.size() == 1 ? floating[0] : flatten(floating);
}

std::string OpFunction::text(size_t number) const {
  std::string text = std::string(op_->name) + " #" + std::to_string(number);
  for (const Tensor& x : sample_->inputs) {
    text += " " + std::string(name(x.dtype())) + "[";
    for (int d = 0; d < x.rank(); ++d) text += (d > 0 ? ", " : "") + std::to_string(x.size(d));
    text += "]";
  }
  return shares_ ? text + ", operands shared" : text;
}

Tensor flatten(std::span<const Tensor> tensors) {
  std::vector<Tensor> flat;
  for (const Tensor& x : tensors) flat.push_back(reshape(x, {-1}));
  return flat.size() == 1 ? flat[0] : cat(flat, 0);
}

std::vector<Tensor> gradients_of(Tape& tape, const OpFunction& f, std::span<const Tensor> x, uint64_t seed,
                                 bool differentiable) {
  const Tensor y = f.joined(x);
  Rng rng(seed);
  const Tensor c = rng.normal(y.shape(), y.dtype());
  const Gradients g = tape.gradient(y, c, {.differentiable = differentiable});
  std::vector<Tensor> result;
  for (const Tensor& v : x) result.push_back(g.get_or_zeros(v));
  return result;
}

Samples samples_of(const Op& op, DType dtype) {
  Samples samples(dtype);
  op.samples(samples);
  return samples;
}

std::vector<Tensor> watch_all(Tape& tape, std::span<const Tensor> tensors) {
  std::vector<Tensor> watched;
  for (const Tensor& x : tensors) watched.push_back(is_floating(x.dtype()) ? tape.watch(x) : x);
  return watched;
}

bool recorded(const Tape& tape, const Tensor& x) { return x.handle()->tape == tape.serial(); }

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (a.numel() == 0 || std::memcmp(a.handle()->data, b.handle()->data, a.handle()->bytes()) == 0);
}

}  // namespace tapegrad::testing
