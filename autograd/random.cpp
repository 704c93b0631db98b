#include "autograd/random.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "autograd/raise.h"
#include "autograd/storage.h"

namespace tapegrad {
namespace detail {
namespace {

// One round of Philox4x32 with the constants of Salmon et al., 2011.
void philox_round(uint32_t (&x)[4], uint32_t (&key)[2]) {
  const uint64_t a = uint64_t{0xD2511F53} * x[0];
  const uint64_t b = uint64_t{0xCD9E8D57} * x[2];
  const uint32_t y[4] = {static_cast<uint32_t>(b >> 32) ^ x[1] ^ key[0], static_cast<uint32_t>(b),
                         static_cast<uint32_t>(a >> 32) ^ x[3] ^ key[1], static_cast<uint32_t>(a)};
  std::memcpy(x, y, sizeof(x));
  key[0] += 0x9E3779B9;
  key[1] += 0xBB67AE85;
}

double polynomial(std::initializer_list<double> coefficients, double x) {
  double y = 0;
  for (double c : coefficients) y = y * x + c;
  return y;
}

// The natural logarithm of a positive normal number by the series of atanh, so that normals are the same on
// every machine whatever its mathematical library. Relative error below 1e-15.
double portable_log(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);  // exact
  if (m < 0.70710678118654752) {
    m *= 2;
    --exponent;
  }
  const double t = (m - 1) / (m + 1);
  const double t2 = t * t;
  double series = 0;
  for (int k = 23; k >= 1; k -= 2) series = series * t2 + 1.0 / k;
  return 2 * t * series + exponent * 0.69314718055994530942;
}

}  // namespace

Philox philox(uint64_t key, uint64_t counter, uint64_t stream) {
  uint32_t x[4] = {static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32),
                   static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)};
  uint32_t k[2] = {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)};
  for (int round = 0; round < 10; ++round) philox_round(x, k);
  return {{x[0] | uint64_t{x[1]} << 32, x[2] | uint64_t{x[3]} << 32}};
}

double normal_quantile(double p) {
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q *
           polynomial({2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
                       4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
                       1.3314166789178437745e2, 3.3871328727963666080e0},
                      r) /
           polynomial({5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4,
                       2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2,
                       4.2313330701600911252e1, 1.0},
                      r);
  }
  double r = std::sqrt(-portable_log(q < 0 ? p : 1 - p));
  double x;
  if (r <= 5) {
    r -= 1.6;
    x = polynomial({7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
                    1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
                    4.63033784615654529590e0, 1.42343711074968357734e0},
                   r) /
        polynomial({1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
                    1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
                    2.05319162663775882187e0, 1.0},
                   r);
  } else {
    r -= 5;
    x = polynomial({2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
                    2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
                    5.46378491116411436990e0, 6.65790464350110377720e0},
                   r) /
        polynomial({2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
                    7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
                    5.99832206555887937690e-1, 1.0},
                   r);
  }
  return q < 0 ? -x : x;
}

}  // namespace detail

namespace {

template <class Draw>
Tensor filled(const Shape& shape, DType dtype, Draw&& draw) {
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (double& v : values) v = draw();
  if (dtype == float64) return from_vector(values, shape);
  if (dtype != float32) raise<DTypeError>("[rng] draws float32 or float64, asked for {}", name(dtype));
  return from_vector(std::vector<float>(values.begin(), values.end()), shape);
}

}  // namespace

uint64_t Rng::bits() {
  const detail::Philox draw = detail::philox(seed_, counter_ / 2, 0);
  return draw.word[counter_++ % 2];
}

double Rng::uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

// Half a step off the grid, so that 0 and 1 cannot be drawn.
double Rng::normal() { return detail::normal_quantile((static_cast<double>(bits() >> 12) + 0.5) * 0x1p-52); }

int64_t Rng::integer(int64_t low, int64_t high) {
  if (low >= high) raise<ArgumentError>("[rng] no integer in [{}, {})", low, high);
  const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  // Draws beyond the last whole multiple of the range would favour small results.
  const uint64_t limit = range * (UINT64_MAX / range);
  uint64_t draw = bits();
  while (draw >= limit) draw = bits();
  return static_cast<int64_t>(static_cast<uint64_t>(low) + draw % range);
}

Tensor Rng::uniform(const Shape& shape, double low, double high, DType dtype) {
  return filled(shape, dtype, [&] { return low + (high - low) * uniform(); });
}

Tensor Rng::normal(const Shape& shape, DType dtype) {
  return filled(shape, dtype, [&] { return normal(); });
}

Tensor Rng::integers(const Shape& shape, int64_t low, int64_t high) {
  std::vector<int64_t> values(static_cast<size_t>(shape.numel()));
  for (int64_t& v : values) v = integer(low, high);
  return from_vector(values, shape);
}

Tensor Rng::permutation(int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) order[static_cast<size_t>(i)] = i;
  for (int64_t i = n - 1; i > 0; --i)
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(integer(0, i + 1))]);
  return from_vector(order, {n});
}

Tensor Rng::state() {
  const int64_t words[2] = {static_cast<int64_t>(bits() >> 1), 0};
  return from_span(std::span<const int64_t>(words), {2});
}

}  // namespace tapegrad
