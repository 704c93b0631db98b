#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "autograd/export.h"
#include "autograd/random.h"
#include "autograd/tensor.h"

// Initial values of any shape, by PyTorch's names: layer.weight = nn::init::orthogonal(layer.weight.shape(),
// rng). (zeros, ones and full are those of tensors.) The same generator gives the same values on every
// machine. Variances and bounds are those of the values in float64, which are then rounded to dtype. Sizes
// along the first dimension of a weight count outputs, along the second inputs; dimensions behind them belong
// to a window, as of a convolution.
//
// All throw DTypeError unless dtype is floating, ShapeError for a rank below the one that they need and
// ArgumentError for an option that makes no sense, with the name of the function.

namespace tapegrad::nn::init {

// How many numbers go into one output and how many outputs one input goes to.
struct Fans {
  int64_t in, out;
};
// Of a weight [out, in, window…]: in·window and out·window. Throws ShapeError below two dimensions.
TAPEGRAD_API Fans fans(const Shape& shape);

// By how much weights must be larger where this function follows: 1 for linear, identity and sigmoid, 5/3 for
// tanh, √2 for relu, √(2/(1+a²)) for leaky_relu with slope a (0.01 where none is given), 3/4 for selu. Throws
// ArgumentError, suggesting the nearest name.
TAPEGRAD_API double calculate_gain(std::string_view nonlinearity, std::optional<double> param = {});

TAPEGRAD_API Tensor uniform(const Shape& shape, Rng& rng, double a = 0, double b = 1, DType dtype = float32);
// `std` is the standard deviation.
TAPEGRAD_API Tensor normal(const Shape& shape, Rng& rng, double mean = 0, double std = 1,
                           DType dtype = float32);
// The normal distribution cut off outside [a, b], which makes its variance smaller than std².
TAPEGRAD_API Tensor trunc_normal(const Shape& shape, Rng& rng, double mean = 0, double std = 1, double a = -2,
                                 double b = 2, DType dtype = float32);
// Ones on the diagonal of a matrix.
TAPEGRAD_API Tensor eye(const Shape& shape, DType dtype = float32);

// Glorot and Bengio (2010): variance gain²·2/(in + out).
TAPEGRAD_API Tensor xavier_uniform(const Shape& shape, Rng& rng, double gain = 1, DType dtype = float32);
TAPEGRAD_API Tensor xavier_normal(const Shape& shape, Rng& rng, double gain = 1, DType dtype = float32);

enum class Fan : uint8_t { in, out };
struct KaimingOptions {
  double a = 0;  // slope of leaky_relu
  Fan mode = Fan::in;
  std::string_view nonlinearity = "leaky_relu";
};
// He et al. (2015): variance gain²/fan.
TAPEGRAD_API Tensor kaiming_uniform(const Shape& shape, Rng& rng, const KaimingOptions& options = {},
                                    DType dtype = float32);
TAPEGRAD_API Tensor kaiming_normal(const Shape& shape, Rng& rng, const KaimingOptions& options = {},
                                   DType dtype = float32);

// LeCun et al. (1998): variance 1/in. The normal one is not truncated.
TAPEGRAD_API Tensor lecun_uniform(const Shape& shape, Rng& rng, DType dtype = float32);
TAPEGRAD_API Tensor lecun_normal(const Shape& shape, Rng& rng, DType dtype = float32);

// Saxe et al. (2013): rows, or columns where those are fewer, of length `gain` at right angles, uniformly
// distributed among all such. Dimensions behind the first count as one.
TAPEGRAD_API Tensor orthogonal(const Shape& shape, Rng& rng, double gain = 1, DType dtype = float32);
// Martens (2010): a matrix of Gaussians with standard deviation `std`, of which the part `sparsity` of each
// column, rounded up, is 0.
TAPEGRAD_API Tensor sparse(const Shape& shape, Rng& rng, double sparsity, double std = 0.01,
                           DType dtype = float32);

}  // namespace tapegrad::nn::init
