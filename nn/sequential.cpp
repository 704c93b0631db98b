#include "nn/sequential.h"

#include <string>

#include "autograd/raise.h"

namespace tapegrad::nn {

detail::AnyLayer::~AnyLayer() = default;

Sequential::Sequential(const Sequential& other) {
  layers_.reserve(other.layers_.size());
  for (size_t i = 0; i < other.layers_.size(); ++i) {
    layers_.push_back(other.layers_[i]->copy());
    if (layers_.back() == nullptr) {
      raise<ArgumentError>("[Sequential] layer {}, {}, cannot be copied", i, other.layers_[i]->type());
    }
  }
}

Sequential& Sequential::operator=(Sequential other) noexcept {
  layers_.swap(other.layers_);
  return *this;
}

Tensor Sequential::operator()(const Arg& x) const {
  CallSite site(x);
  Tensor a = detail::to_tensor(x);
  size_t i = 0;
  try {
    for (; i < layers_.size(); ++i) a = layers_[i]->call(a);
    return a;
  } catch (Error& error) {
    std::string line = fmt::format("in {}: {}", i, layers_[i]->type());
    int64_t in = 0, out = 0;
    if (layers_[i]->sizes(in, out)) line += fmt::format(" {}→{}", in, out);
    error.add_context(line);
    throw;
  }
}

}  // namespace tapegrad::nn
