#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "nn/nn.h"

using namespace tapegrad;

namespace {

struct Moments {
  double mean = 0, variance = 0, low = 0, high = 0;
};

Moments moments(const Tensor& x) {
  const std::vector<double> values = x.to_vector<double>();
  Moments m;
  for (double v : values) m.mean += v;
  m.mean /= static_cast<double>(values.size());
  for (double v : values) m.variance += (v - m.mean) * (v - m.mean);
  m.variance /= static_cast<double>(values.size());
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  m.low = *low;
  m.high = *high;
  return m;
}

constexpr int64_t kOut = 300, kIn = 700;
constexpr double kCount = kOut * kIn;

Moments weights(const nn::Initializer& init) {
  Rng rng{11};
  const Tensor w = init.weight(kOut, kIn, rng, float64);
  REQUIRE(w.shape() == Shape{kOut, kIn});
  return moments(w);
}

// Five standard errors of the mean and of the variance of kCount draws with the given variance and kurtosis.
void check_moments(const Moments& m, double variance, double kurtosis) {
  CHECK(std::fabs(m.mean) <= 5 * std::sqrt(variance / kCount));
  CHECK(std::fabs(m.variance - variance) <= 5 * variance * std::sqrt((kurtosis - 1) / kCount));
}

void check_uniform(const Moments& m, double bound) {
  check_moments(m, bound * bound / 3, 1.8);
  CHECK(m.low >= -bound);
  CHECK(m.high <= bound);
  CHECK(m.low <= -0.999 * bound);
  CHECK(m.high >= 0.999 * bound);
}

}  // namespace

TEST_CASE("nn/init: gaussian has weight variance 1/in and bias variance 1") {
  check_moments(weights(nn::gaussian), 1.0 / kIn, 3);
  Rng rng{12};
  const int64_t n = 100000;
  const Moments bias = moments(nn::gaussian.bias(n, 9, rng, float64));
  CHECK(std::fabs(bias.mean) <= 5 / std::sqrt(n));
  CHECK(std::fabs(bias.variance - 1) <= 5 * std::sqrt(2.0 / n));
}

TEST_CASE("nn/init: Xavier and Kaiming have their bounds and variances") {
  check_uniform(weights(nn::xavier_uniform), std::sqrt(6.0 / (kIn + kOut)));
  check_moments(weights(nn::xavier_normal), 2.0 / (kIn + kOut), 3);
  check_uniform(weights(nn::kaiming_uniform), std::sqrt(6.0 / kIn));
  check_moments(weights(nn::kaiming_normal), 2.0 / kIn, 3);
  for (const nn::Initializer* init :
       {&nn::xavier_uniform, &nn::xavier_normal, &nn::kaiming_uniform, &nn::kaiming_normal}) {
    Rng rng{13};
    CHECK(equal(init->bias(4, 3, rng, float32), zeros({4})));
  }
}

TEST_CASE("nn/init: the same seed gives the same network, in both dtypes") {
  for (DType dtype : {float32, float64}) {
    Rng a{7}, b{7}, c{8};
    const nn::FeedForward first{{5, 4, 3}, {nn::relu, nn::identity}, a, nn::gaussian, dtype};
    const nn::FeedForward second{{5, 4, 3}, {nn::relu, nn::identity}, b, nn::gaussian, dtype};
    const nn::FeedForward third{{5, 4, 3}, {nn::relu, nn::identity}, c, nn::gaussian, dtype};
    CHECK(first.layers[0].weight.dtype() == dtype);
    CHECK(first.layers[1].bias.dtype() == dtype);
    CHECK(fingerprint(parameters(first)) == fingerprint(parameters(second)));
    CHECK(fingerprint(parameters(first)) != fingerprint(parameters(third)));
  }
}

TEST_CASE("nn/init: initialisers and activations are found by name") {
  for (const nn::Initializer* init :
       {&nn::gaussian, &nn::xavier_uniform, &nn::xavier_normal, &nn::kaiming_uniform, &nn::kaiming_normal}) {
    REQUIRE(nn::find_initializer(init->name) != nullptr);
    CHECK((nn::find_initializer(init->name)->weight == init->weight));
    CHECK((nn::find_initializer(init->name)->bias == init->bias));
  }
  CHECK(nn::find_initializer("no such") == nullptr);
  for (const nn::Activation* activation : {&nn::identity, &nn::relu, &nn::tanh, &nn::sigmoid}) {
    REQUIRE(nn::find_activation(activation->name) != nullptr);
    CHECK((nn::find_activation(activation->name)->function == activation->function));
  }
  CHECK(nn::find_activation("no such") == nullptr);
}
