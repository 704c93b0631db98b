#include "nn/init.h"

#include <cmath>

#include "autograd/ops.h"

namespace tapegrad::nn {
namespace {

Tensor normal(int64_t out, int64_t in, double variance, Rng& rng, DType dtype) {
  return mul(rng.normal({out, in}, dtype), std::sqrt(variance));
}

Tensor uniform(int64_t out, int64_t in, double bound, Rng& rng, DType dtype) {
  return rng.uniform({out, in}, -bound, bound, dtype);
}

}  // namespace

namespace detail {

Tensor gaussian_weight(int64_t out, int64_t in, Rng& rng, DType dtype) {
  return normal(out, in, 1.0 / static_cast<double>(in), rng, dtype);
}
Tensor gaussian_bias(int64_t out, int64_t, Rng& rng, DType dtype) { return rng.normal({out}, dtype); }

Tensor xavier_uniform_weight(int64_t out, int64_t in, Rng& rng, DType dtype) {
  return uniform(out, in, std::sqrt(6.0 / static_cast<double>(in + out)), rng, dtype);
}
Tensor xavier_normal_weight(int64_t out, int64_t in, Rng& rng, DType dtype) {
  return normal(out, in, 2.0 / static_cast<double>(in + out), rng, dtype);
}

Tensor kaiming_uniform_weight(int64_t out, int64_t in, Rng& rng, DType dtype) {
  return uniform(out, in, std::sqrt(6.0 / static_cast<double>(in)), rng, dtype);
}
Tensor kaiming_normal_weight(int64_t out, int64_t in, Rng& rng, DType dtype) {
  return normal(out, in, 2.0 / static_cast<double>(in), rng, dtype);
}

Tensor zero_bias(int64_t out, int64_t, Rng&, DType dtype) { return zeros({out}, dtype); }

}  // namespace detail

const Initializer* find_initializer(std::string_view name) {
  static constexpr const Initializer* kAll[] = {&gaussian, &xavier_uniform, &xavier_normal, &kaiming_uniform,
                                                &kaiming_normal};
  for (const Initializer* initializer : kAll) {
    if (initializer->name == name) return initializer;
  }
  return nullptr;
}

}  // namespace tapegrad::nn
