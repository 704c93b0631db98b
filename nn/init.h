#pragma once

#include <cstdint>
#include <string_view>

#include "autograd/export.h"
#include "autograd/random.h"
#include "autograd/tensor.h"

namespace tapegrad::nn {

// How the parameters of a layer with `in` inputs and `out` outputs start. Both throw DTypeError unless dtype
// is floating.
struct Initializer {
  std::string_view name;
  Tensor (*weight)(int64_t out, int64_t in, Rng& rng, DType dtype);  // [out, in]
  Tensor (*bias)(int64_t out, int64_t in, Rng& rng, DType dtype);    // [out]
};

namespace detail {
TAPEGRAD_API Tensor gaussian_weight(int64_t out, int64_t in, Rng& rng, DType dtype);
TAPEGRAD_API Tensor gaussian_bias(int64_t out, int64_t in, Rng& rng, DType dtype);
TAPEGRAD_API Tensor xavier_uniform_weight(int64_t out, int64_t in, Rng& rng, DType dtype);
TAPEGRAD_API Tensor xavier_normal_weight(int64_t out, int64_t in, Rng& rng, DType dtype);
TAPEGRAD_API Tensor kaiming_uniform_weight(int64_t out, int64_t in, Rng& rng, DType dtype);
TAPEGRAD_API Tensor kaiming_normal_weight(int64_t out, int64_t in, Rng& rng, DType dtype);
TAPEGRAD_API Tensor zero_bias(int64_t out, int64_t in, Rng& rng, DType dtype);
}  // namespace detail

// The text's start of back-propagation: weights from Gaussian(0, 1/in), biases from Gaussian(0, 1), where the
// second number is a variance.
inline constexpr Initializer gaussian{"gaussian", &detail::gaussian_weight, &detail::gaussian_bias};
// Glorot and Bengio (2010): uniform in ±√(6/(in+out)), or Gaussian of variance 2/(in+out); biases 0.
inline constexpr Initializer xavier_uniform{"xavier_uniform", &detail::xavier_uniform_weight,
                                            &detail::zero_bias};
inline constexpr Initializer xavier_normal{"xavier_normal", &detail::xavier_normal_weight,
                                           &detail::zero_bias};
// He et al. (2015), gain √2 for ReLU: uniform in ±√(6/in), or Gaussian of variance 2/in; biases 0.
inline constexpr Initializer kaiming_uniform{"kaiming_uniform", &detail::kaiming_uniform_weight,
                                             &detail::zero_bias};
inline constexpr Initializer kaiming_normal{"kaiming_normal", &detail::kaiming_normal_weight,
                                            &detail::zero_bias};

// The initializer of that name, or null.
TAPEGRAD_API const Initializer* find_initializer(std::string_view name);

}  // namespace tapegrad::nn
