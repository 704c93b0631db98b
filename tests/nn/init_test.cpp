#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "nn/nn.h"
#include "tests/nn/moments.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using tapegrad::test::Moments;
using tapegrad::test::moments;
using tapegrad::testing::message_of;

namespace {

constexpr int64_t kOut = 300, kIn = 700;
constexpr double kCount = kOut * kIn;

Moments weights(const nn::Initializer& init) {
  Rng rng{11};
  const Tensor w = init.weight(kOut, kIn, rng, float64);
  REQUIRE(w.shape() == Shape{kOut, kIn});
  return moments(w);
}

void check_moments(const Moments& m, double variance, double kurtosis) {
  test::check_moments(m, 0, variance, kurtosis, kCount);
}
void check_uniform(const Moments& m, double bound) { test::check_uniform(m, -bound, bound, kCount); }

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
  check_uniform(weights(nn::lecun_uniform), std::sqrt(3.0 / kIn));
  check_moments(weights(nn::lecun_normal), 1.0 / kIn, 3);
  for (const nn::Initializer* init : nn::all_initializers()) {
    if (init == &nn::gaussian) continue;
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
  for (const nn::Initializer* init : nn::all_initializers()) {
    CHECK(nn::find_initializer(init->name) == init);
    CHECK(&nn::initializer(init->name) == init);
  }
  CHECK(nn::find_initializer("no such") == nullptr);
  CHECK(message_of<ArgumentError>([] { nn::initializer("kaimin_uniform"); }) ==
        "[initializer] unknown name 'kaimin_uniform', did you mean 'kaiming_uniform'?");

  Rng rng{3};
  const Tensor x = rng.uniform({50}, 0.1, 0.9);  // where every function is defined
  for (const nn::Activation* activation :
       {&nn::identity, &nn::relu, &nn::tanh, &nn::sigmoid, &nn::leaky_relu, &nn::elu, &nn::selu,
        &nn::softplus, &nn::silu, &nn::mish, &nn::gelu, &nn::hardtanh, &nn::relu6}) {
    const nn::Activation* found = nn::find_activation(activation->name);
    REQUIRE(found != nullptr);
    CHECK(equal((*found)(x), (*activation)(x)));
  }
  for (const nn::Activation& activation : nn::all_activations()) {
    CAPTURE(activation.name);
    CHECK(&nn::activation(activation.name) == &activation);
    CHECK(activation(x).shape() == x.shape());
    const nn::Layer layer(4, 3, activation, rng);
    CHECK(layer(ones({2, 4})).shape() == Shape{2, 3});
  }
  CHECK(equal(nn::activation("sin")(x), sin(x)));
  for (const char* name : {"no such", "floor", "isnan", "sum", "clamp", "tanh_backward"})
    CHECK(nn::find_activation(name) == nullptr);
  CHECK(message_of<ArgumentError>([] { nn::activation("rleu"); }) ==
        "[activation] unknown name 'rleu', did you mean 'relu'?");
  CHECK(message_of<ArgumentError>([] {
          nn::activation(std::string(70, 'x'));
        }).starts_with("[activation] unknown name '" + std::string(60, 'x') + "…', did you mean '"));
}
