#include "autograd/samples.h"

#include <utility>

#include "autograd/ops.h"

namespace tapegrad {

Tensor Samples::distinct(const Shape& shape) {
  const Tensor order = cast(rng_.permutation(shape.numel()), dtype_);
  const Tensor jitter = uniform({shape.numel()}, 0, 0.05);
  return reshape((order - 0.5 * static_cast<double>(shape.numel())) * 0.15 + jitter, shape);
}

void Samples::add(std::vector<Tensor> inputs, OptionsRef options) {
  samples_.push_back({std::move(inputs), OptionsBox(options)});
}

void Samples::add_error(std::string_view gist, std::vector<Tensor> inputs, OptionsRef options) {
  errors_.push_back({std::move(inputs), OptionsBox(options), gist});
}

void Samples::add_convention(Convention convention) { conventions_.push_back(std::move(convention)); }

}  // namespace tapegrad
