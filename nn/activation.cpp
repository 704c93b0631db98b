#include "nn/activation.h"

namespace tapegrad::nn {

Tensor detail::to_tensor(const Arg& x) {
  switch (x.kind()) {
    case Arg::Kind::none: return {};
    case Arg::Kind::tensor: return Tensor::share(x.body());
    // An alias that the tape records, so that a parameter stays tracked.
    case Arg::Kind::cell: return reshape(x, CellRef::share(x.cell()).value().shape());
    default: return reshape(x, {});
  }
}

const Activation* find_activation(std::string_view name) {
  static constexpr const Activation* kAll[] = {&identity, &relu,     &tanh, &sigmoid, &leaky_relu, &elu,
                                               &selu,     &softplus, &silu, &mish,    &hardtanh,   &relu6};
  for (const Activation* activation : kAll) {
    if (activation->name == name) return activation;
  }
  return nullptr;
}

}  // namespace tapegrad::nn
