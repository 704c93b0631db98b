#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "autograd/export.h"
#include "autograd/random.h"
#include "autograd/tensor.h"

namespace tapegrad::nn {

// How the parameters of a layer with `in` inputs and `out` outputs start; initial.h has the formulas, for
// tensors of any shape. Both throw DTypeError unless dtype is floating.
struct Initializer {
  std::string_view name;
  std::string_view doc;                                              // of the weight
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
TAPEGRAD_API Tensor lecun_uniform_weight(int64_t out, int64_t in, Rng& rng, DType dtype);
TAPEGRAD_API Tensor orthogonal_weight(int64_t out, int64_t in, Rng& rng, DType dtype);
TAPEGRAD_API Tensor zero_bias(int64_t out, int64_t in, Rng& rng, DType dtype);
}  // namespace detail

// The text's start of back-propagation: weights from Gaussian(0, 1/in), biases from Gaussian(0, 1), where the
// second number is a variance. The others start with biases 0.
inline constexpr Initializer gaussian{"gaussian", "Gaussian, variance 1/in", &detail::gaussian_weight,
                                      &detail::gaussian_bias};
inline constexpr Initializer xavier_uniform{"xavier_uniform", "uniform in ±√(6/(in+out))",
                                            &detail::xavier_uniform_weight, &detail::zero_bias};
inline constexpr Initializer xavier_normal{"xavier_normal", "Gaussian, variance 2/(in+out)",
                                           &detail::xavier_normal_weight, &detail::zero_bias};
inline constexpr Initializer kaiming_uniform{"kaiming_uniform", "uniform in ±√(6/in)",
                                             &detail::kaiming_uniform_weight, &detail::zero_bias};
inline constexpr Initializer kaiming_normal{"kaiming_normal", "Gaussian, variance 2/in",
                                            &detail::kaiming_normal_weight, &detail::zero_bias};
inline constexpr Initializer lecun_uniform{"lecun_uniform", "uniform in ±√(3/in)",
                                           &detail::lecun_uniform_weight, &detail::zero_bias};
inline constexpr Initializer lecun_normal{"lecun_normal", "Gaussian, variance 1/in", &detail::gaussian_weight,
                                          &detail::zero_bias};
inline constexpr Initializer orthogonal{"orthogonal", "orthonormal rows, or columns where those are fewer",
                                        &detail::orthogonal_weight, &detail::zero_bias};

// All of these.
TAPEGRAD_API std::span<const Initializer* const> all_initializers();
// The initializer of that name, or null.
TAPEGRAD_API const Initializer* find_initializer(std::string_view name);
// The same, or the ArgumentError "[initializer] unknown name 'kaimin_normal', did you mean
// 'kaiming_normal'?".
TAPEGRAD_API const Initializer& initializer(std::string_view name);

}  // namespace tapegrad::nn
