#include "nn/initial.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "nn/names.h"

namespace tapegrad::nn::init {
namespace {

void check_dtype(std::string_view name, DType dtype) {
  if (is_floating(dtype)) return;
  raise<DTypeError>("[{}] expected float32 or float64, given {}", name, tapegrad::name(dtype));
}

void check_rank(std::string_view name, const Shape& shape, bool matrix) {
  if (matrix ? shape.rank() == 2 : shape.rank() >= 2) return;
  raise<ShapeError>("[{}] expected {}, given shape [{}]", name,
                    matrix ? "a matrix" : "at least two dimensions", fmt::join(shape, ", "));
}

void check_scale(std::string_view name, std::string_view option, double value) {
  if (std::isfinite(value) && value >= 0) return;
  raise<ArgumentError>("[{}] {} must be finite and at least 0, given {}", name, option, value);
}

// Values of mean 0 and the standard deviation gain/√fan, which has to be known to be ≥ 1.
Tensor uniform_of(const Shape& shape, Rng& rng, double gain, double fan, DType dtype) {
  const double bound = gain * std::sqrt(3 / fan);
  return rng.uniform(shape, -bound, bound, dtype);
}
Tensor normal_of(const Shape& shape, Rng& rng, double gain, double fan, DType dtype) {
  return mul(rng.normal(shape, dtype), gain / std::sqrt(fan));
}

double checked_fan(std::string_view name, const Shape& shape, DType dtype, bool in, bool out) {
  check_dtype(name, dtype);
  check_rank(name, shape, false);
  const Fans f = fans(shape);
  const double fan = static_cast<double>((in ? f.in : 0) + (out ? f.out : 0)) / (in && out ? 2 : 1);
  return std::max(fan, 1.0);  // a weight without elements has nothing to fill
}

double kaiming_gain(std::string_view name, const KaimingOptions& options) {
  if (!std::isfinite(options.a)) raise<ArgumentError>("[{}] a must be finite, given {}", name, options.a);
  return calculate_gain(options.nonlinearity, options.a);
}

// Φ(x), the part of the normal distribution below x.
double below(double x) { return 0.5 * std::erfc(-x * 0.70710678118654752); }

}  // namespace

Fans fans(const Shape& shape) {
  check_rank("fans", shape, false);
  int64_t window = 1;
  for (int i = 2; i < shape.rank(); ++i) window *= shape[i];
  return {shape[1] * window, shape[0] * window};
}

double calculate_gain(std::string_view nonlinearity, std::optional<double> param) {
  struct Known {
    std::string_view name;
    double gain;
  };
  static constexpr double kSqrt2 = 1.4142135623730951;
  static constexpr Known kKnown[] = {{"linear", 1},     {"identity", 1},  {"sigmoid", 1},
                                     {"tanh", 5.0 / 3}, {"relu", kSqrt2}, {"leaky_relu", kSqrt2},
                                     {"selu", 0.75}};
  for (const Known& known : kKnown) {
    if (known.name != nonlinearity) continue;
    const double slope = nonlinearity == "leaky_relu" ? param.value_or(0.01) : 0;
    return slope == 0 ? known.gain : std::sqrt(2 / (1 + slope * slope));
  }
  raise_unknown("calculate_gain", "nonlinearity", nonlinearity, kKnown,
                [](const Known& known) { return known.name; });
}

Tensor uniform(const Shape& shape, Rng& rng, double a, double b, DType dtype) {
  check_dtype("uniform", dtype);
  if (!(std::isfinite(a) && std::isfinite(b) && a <= b))
    raise<ArgumentError>("[uniform] expected finite a ≤ b, given a = {}, b = {}", a, b);
  return rng.uniform(shape, a, b, dtype);
}

Tensor normal(const Shape& shape, Rng& rng, double mean, double std, DType dtype) {
  check_dtype("normal", dtype);
  check_scale("normal", "std", std);
  if (!std::isfinite(mean)) raise<ArgumentError>("[normal] mean must be finite, given {}", mean);
  return cast(rng.normal(shape, float64) * std + mean, dtype);
}

// By the quantiles of uniform numbers. Φ is exact to its last digits only below 0, so an interval above 0 is
// drawn as its mirror image.
Tensor trunc_normal(const Shape& shape, Rng& rng, double mean, double std, double a, double b, DType dtype) {
  check_dtype("trunc_normal", dtype);
  check_scale("trunc_normal", "std", std);
  double low = (a - mean) / std, high = (b - mean) / std;
  const bool mirrored = low > 0;
  if (mirrored) {
    std::swap(low, high);
    low = -low;
    high = -high;
  }
  const double from = below(low), width = below(high) - from;
  if (!(a < b && width > 0)) {
    raise<ArgumentError>(
        "[trunc_normal] expected a < b with values between them, given a = {}, b = {}, mean "
        "= {}, std = {}",
        a, b, mean, std);
  }
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (double& v : values) {
    const double p = std::clamp(from + width * rng.uniform(), 0x1p-1022, 1 - 0x1p-53);
    const double z = detail::normal_quantile(p);
    v = std::clamp(mean + std * (mirrored ? -z : z), a, b);
  }
  return cast(from_vector(values, shape), dtype);
}

Tensor eye(const Shape& shape, DType dtype) {
  check_rank("eye", shape, true);
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (int64_t i = 0; i < std::min(shape[0], shape[1]); ++i)
    values[static_cast<size_t>(i * shape[1] + i)] = 1;
  return cast(from_vector(values, shape), dtype);
}

Tensor xavier_uniform(const Shape& shape, Rng& rng, double gain, DType dtype) {
  check_scale("xavier_uniform", "gain", gain);
  return uniform_of(shape, rng, gain, checked_fan("xavier_uniform", shape, dtype, true, true), dtype);
}
Tensor xavier_normal(const Shape& shape, Rng& rng, double gain, DType dtype) {
  check_scale("xavier_normal", "gain", gain);
  return normal_of(shape, rng, gain, checked_fan("xavier_normal", shape, dtype, true, true), dtype);
}

Tensor kaiming_uniform(const Shape& shape, Rng& rng, const KaimingOptions& options, DType dtype) {
  const bool in = options.mode == Fan::in;
  return uniform_of(shape, rng, kaiming_gain("kaiming_uniform", options),
                    checked_fan("kaiming_uniform", shape, dtype, in, !in), dtype);
}
Tensor kaiming_normal(const Shape& shape, Rng& rng, const KaimingOptions& options, DType dtype) {
  const bool in = options.mode == Fan::in;
  return normal_of(shape, rng, kaiming_gain("kaiming_normal", options),
                   checked_fan("kaiming_normal", shape, dtype, in, !in), dtype);
}

Tensor lecun_uniform(const Shape& shape, Rng& rng, DType dtype) {
  return uniform_of(shape, rng, 1, checked_fan("lecun_uniform", shape, dtype, true, false), dtype);
}
Tensor lecun_normal(const Shape& shape, Rng& rng, DType dtype) {
  return normal_of(shape, rng, 1, checked_fan("lecun_normal", shape, dtype, true, false), dtype);
}

namespace {

// Gram and Schmidt's method within a few rows [b, n], twice over, which leaves only rounding.
Tensor orthonormal_rows(const Tensor& x) {
  std::vector<double> rows = x.to_vector<double>();
  const auto count = static_cast<size_t>(x.size(0)), n = static_cast<size_t>(x.size(1));
  const auto product = [&](size_t i, size_t j) {
    double total = 0;
    for (size_t k = 0; k < n; ++k) total += rows[i * n + k] * rows[j * n + k];
    return total;
  };
  for (size_t i = 0; i < count; ++i) {
    for (int pass = 0; pass < 2; ++pass) {
      for (size_t j = 0; j < i; ++j) {
        const double along = product(i, j);
        for (size_t k = 0; k < n; ++k) rows[i * n + k] -= along * rows[j * n + k];
      }
    }
    const double length = std::sqrt(product(i, i));
    for (size_t k = 0; k < n; ++k) rows[i * n + k] /= length;
  }
  return from_vector(rows, x.shape());
}

}  // namespace

// The Q of a matrix of Gaussians whose R has a positive diagonal is uniformly distributed. Rows come in
// blocks, so that most of the work is matrix products.
Tensor orthogonal(const Shape& shape, Rng& rng, double gain, DType dtype) {
  constexpr int64_t kBlock = 32;
  check_dtype("orthogonal", dtype);
  check_rank("orthogonal", shape, false);
  check_scale("orthogonal", "gain", gain);
  if (shape.numel() == 0) return zeros(shape, dtype);
  const int64_t rows = shape[0], columns = shape.numel() / rows;
  const int64_t few = std::min(rows, columns), many = std::max(rows, columns);
  std::vector<Tensor> blocks;
  for (int64_t first = 0; first < few; first += kBlock) {
    Tensor block = rng.normal({std::min(kBlock, few - first), many}, float64);
    for (int pass = 0; pass < 2; ++pass) {
      for (const Tensor& q : blocks) block = block - matmul(matmul(block, q, false, true), q);
    }
    blocks.push_back(orthonormal_rows(block));
  }
  Tensor q = cat(blocks, 0);
  if (rows > columns) q = transpose(q, 0, 1);
  return cast(reshape(q, shape) * gain, dtype);
}

Tensor sparse(const Shape& shape, Rng& rng, double sparsity, double std, DType dtype) {
  check_dtype("sparse", dtype);
  check_rank("sparse", shape, true);
  check_scale("sparse", "std", std);
  if (!(sparsity >= 0 && sparsity <= 1))
    raise<ArgumentError>("[sparse] sparsity must be in [0, 1], given {}", sparsity);
  std::vector<double> values = mul(rng.normal(shape, float64), std).to_vector<double>();
  const auto count = static_cast<int64_t>(std::ceil(sparsity * static_cast<double>(shape[0])));
  for (int64_t column = 0; column < shape[1]; ++column) {
    const Tensor order = rng.permutation(shape[0]);
    for (int64_t row : order.data<int64_t>().first(static_cast<size_t>(count)))
      values[static_cast<size_t>(row * shape[1] + column)] = 0;
  }
  return cast(from_vector(values, shape), dtype);
}

}  // namespace tapegrad::nn::init
