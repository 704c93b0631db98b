#include "nn/layer_call.h"

namespace tapegrad::nn {
namespace {

[[gnu::tls_model("initial-exec")]] thread_local constinit detail::LayerObserver* t_observer = nullptr;

}  // namespace

LayerCall::LayerCall(const void* layer, std::string_view type) {
  if (t_observer != nullptr) t_observer->begin(layer, type);
}
LayerCall::~LayerCall() {
  if (t_observer != nullptr) t_observer->end();
}
Tensor LayerCall::result(Tensor y) const {
  if (t_observer != nullptr) t_observer->result(y);
  return y;
}

detail::LayerObserver::LayerObserver() : outer_(t_observer) { t_observer = this; }
detail::LayerObserver::~LayerObserver() { t_observer = outer_; }

}  // namespace tapegrad::nn
