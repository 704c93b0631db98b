#include "nn/any_layer.h"

#include "autograd/raise.h"

namespace tapegrad::nn::detail {

AnyLayer::~AnyLayer() = default;

LayerBox::LayerBox(const LayerBox& other) {
  if (!other) return;
  layer_ = other.layer_->copy();
  if (layer_ == nullptr) raise<ArgumentError>("[nn] the layer {} cannot be copied", other.layer_->label());
}

Tensor LayerBox::call(const Arg& x, std::string_view where) const {
  try {
    return layer_->call(x);
  } catch (Error& error) {
    error.add_context(fmt::format("in {}: {}", where, layer_->label()));
    throw;
  }
}

Tensor LayerBox::call(const Arg& x, size_t where) const {
  try {
    return layer_->call(x);
  } catch (Error& error) {
    error.add_context(fmt::format("in {}: {}", where, layer_->label()));
    throw;
  }
}

}  // namespace tapegrad::nn::detail
