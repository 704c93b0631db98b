#pragma once

#include <string_view>

#include "autograd/export.h"
#include "autograd/tensor.h"
#include "nn/module.h"

namespace tapegrad::nn {

// While it lives, what runs on this thread runs inside that layer: how summary() tells the layers apart. A
// layer that wants a row of its own there, wherever it is called, writes
//   LayerCall call(this);
//   return call.result(…);
// Sequential and the other containers do it for the layers that they call. Costs a test of one pointer.
class TAPEGRAD_API LayerCall {
 public:
  template <class M>
  explicit LayerCall(const M* layer) : LayerCall(layer, tapegrad::detail::type_name<M>()) {}
  LayerCall(const void* layer, std::string_view type);
  ~LayerCall();
  LayerCall(const LayerCall&) = delete;
  LayerCall& operator=(const LayerCall&) = delete;

  // Notes what the layer gives, and gives it back.
  Tensor result(Tensor y) const;
};

namespace detail {

// Is told of every call of a layer on this thread while it is installed.
class TAPEGRAD_API LayerObserver {
 public:
  LayerObserver();
  virtual ~LayerObserver();
  LayerObserver(const LayerObserver&) = delete;
  LayerObserver& operator=(const LayerObserver&) = delete;

  virtual void begin(const void* layer, std::string_view type) = 0;
  virtual void result(const Tensor& y) = 0;  // of the layer that began last
  virtual void end() = 0;

 private:
  LayerObserver* outer_;
};

}  // namespace detail
}  // namespace tapegrad::nn
