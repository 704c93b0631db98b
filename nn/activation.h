#pragma once

#include <string_view>

#include "autograd/arg.h"
#include "autograd/export.h"
#include "autograd/ops.h"

namespace tapegrad::nn {

// A non-linearity sigma of a neuron or a layer, applied element by element. Callable, so it also stands in a
// Sequential as a layer of its own.
struct Activation {
  std::string_view name;
  Tensor (*function)(const Arg& x);

  Tensor operator()(const Arg& x) const { return function(x); }
};

namespace detail {
// The operand as a tensor: itself, or the value of a parameter or buffer, tracked as ever. Throws DTypeError
// for a number, which has no dtype of its own.
TAPEGRAD_API Tensor to_tensor(const Arg& x);
}  // namespace detail

inline constexpr Activation identity{"identity", &detail::to_tensor};
inline constexpr Activation relu{"relu", &tapegrad::relu};
inline constexpr Activation tanh{"tanh", &tapegrad::tanh};
inline constexpr Activation sigmoid{"sigmoid", &tapegrad::sigmoid};
// These with the default options of their functions.
inline constexpr Activation leaky_relu{"leaky_relu", [](const Arg& x) { return tapegrad::leaky_relu(x); }};
inline constexpr Activation elu{"elu", [](const Arg& x) { return tapegrad::elu(x); }};
inline constexpr Activation selu{"selu", &tapegrad::selu};
inline constexpr Activation softplus{"softplus", [](const Arg& x) { return tapegrad::softplus(x); }};
inline constexpr Activation silu{"silu", &tapegrad::silu};
inline constexpr Activation mish{"mish", &tapegrad::mish};
inline constexpr Activation hardtanh{"hardtanh", [](const Arg& x) { return tapegrad::hardtanh(x); }};
inline constexpr Activation relu6{"relu6", &tapegrad::relu6};

// The activation of that name, or null.
TAPEGRAD_API const Activation* find_activation(std::string_view name);

}  // namespace tapegrad::nn
