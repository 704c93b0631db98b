#pragma once

// The rules by which other libraries check a gradient, for comparison. Written from their documentation.

#include <functional>
#include <span>

#include "autograd/autograd.h"

namespace tapegrad::testing {

using Function = std::function<Tensor(std::span<const Tensor>)>;

// torch.autograd.gradcheck with its defaults: the whole Jacobian, by one-hot cotangents and by central
// differences with a step of 1e-6; every entry within 1e-5 + 1e-3·|difference|.
bool torch_rule(const Function& f, std::span<const Tensor> inputs);

// jax.test_util.check_grads in reverse mode with its defaults for float64: ⟨v, VJP(c)⟩ for one random
// direction and cotangent, against a central difference with step 1/2048, within 1e-5 + 1e-5·|difference|.
bool jax_rule(const Function& f, std::span<const Tensor> inputs, uint64_t seed = 1);

}  // namespace tapegrad::testing
