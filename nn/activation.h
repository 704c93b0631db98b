#pragma once

#include <span>
#include <string_view>

#include "autograd/arg.h"
#include "autograd/export.h"
#include "autograd/op.h"
#include "autograd/ops.h"

namespace tapegrad::nn {

// A non-linearity sigma of a neuron or a layer, applied element by element. Callable, so it also stands in a
// Sequential as a layer of its own.
struct Activation {
  std::string_view name;
  Tensor (*function)(const Arg& x) = nullptr;
  const Op* op = nullptr;  // what is applied, with its default options, where there is no function

  Tensor operator()(const Arg& x) const { return function != nullptr ? function(x) : apply_op(x); }

 private:
  TAPEGRAD_API Tensor apply_op(const Arg& x) const;
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
inline constexpr Activation gelu{"gelu", [](const Arg& x) { return tapegrad::gelu(x); }};
inline constexpr Activation hardtanh{"hardtanh", [](const Arg& x) { return tapegrad::hardtanh(x); }};
inline constexpr Activation relu6{"relu6", &tapegrad::relu6};

// Every activation that has a name: `identity`, `relu6`, and each op of one floating operand that works
// element by element and has a gradient, with its default options: the constants above, and gelu, sin, erf ….
TAPEGRAD_API std::span<const Activation> all_activations();
// The activation of that name, or null.
TAPEGRAD_API const Activation* find_activation(std::string_view name);
// The same, or the ArgumentError "[activation] unknown name 'rleu', did you mean 'relu'?".
TAPEGRAD_API const Activation& activation(std::string_view name);

}  // namespace tapegrad::nn
