#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "nn/nn.h"

using namespace tapegrad;

namespace {

using Vector = std::vector<double>;
using Scalar = double (*)(double);

double sigma_identity(double z) { return z; }
double sigma_relu(double z) { return z > 0 ? z : 0; }
double sigma_tanh(double z) { return std::tanh(z); }
double sigma_sigmoid(double z) { return 1 / (1 + std::exp(-z)); }

struct Pair {
  nn::Activation activation;
  Scalar scalar;
};
const Pair kPairs[] = {{nn::identity, sigma_identity},
                       {nn::relu, sigma_relu},
                       {nn::tanh, sigma_tanh},
                       {nn::sigmoid, sigma_sigmoid}};

// a_k = sigma(sum_j W_kj x_j + w0_k), by loops.
Vector by_hand(const nn::Layer& layer, Scalar sigma, const Vector& x) {
  const Vector w = layer.weight.value().to_vector<double>();
  const Vector w0 = layer.bias.value().to_vector<double>();
  Vector a(w0.size());
  for (size_t k = 0; k < a.size(); ++k) {
    double z = w0[k];
    for (size_t j = 0; j < x.size(); ++j) z += w[k * x.size() + j] * x[j];
    a[k] = sigma(z);
  }
  return a;
}

void check_close(const Tensor& given, const Vector& expected) {
  const Vector values = given.to_vector<double>();
  REQUIRE(values.size() == expected.size());
  for (size_t i = 0; i < values.size(); ++i) {
    CHECK(std::fabs(values[i] - expected[i]) <= 1e-14 * (1 + std::fabs(expected[i])));
  }
}

Vector row(const Tensor& x, int64_t i) { return x[i].to_vector<double>(); }

}  // namespace

TEST_CASE("nn/neuron: a = sigma(w·x + w0), 0-d for one sample and [batch] for rows") {
  Rng rng{21};
  for (const Pair& pair : kPairs) {
    const nn::Neuron neuron{4, pair.activation, rng, nn::gaussian, float64};
    CHECK(neuron.weight.shape() == Shape{4});
    CHECK(neuron.bias.shape() == Shape{});
    const Tensor x = rng.normal({3, 4}, float64);
    const Vector w = neuron.weight.value().to_vector<double>();
    Vector expected;
    for (int64_t i = 0; i < 3; ++i) {
      double z = neuron.bias.value().item();
      for (size_t j = 0; j < 4; ++j) z += w[j] * row(x, i)[j];
      expected.push_back(pair.scalar(z));
    }
    CHECK(neuron(x).shape() == Shape{3});
    check_close(neuron(x), expected);
    CHECK(neuron(x[1]).shape() == Shape{});
    check_close(neuron(x[1]), {expected[1]});
  }
}

TEST_CASE("nn/layer: a = sigma(W x + w0), one sample or rows") {
  Rng rng{22};
  for (const Pair& pair : kPairs) {
    const nn::Layer layer{4, 3, pair.activation, rng, nn::gaussian, float64};
    CHECK(layer.weight.shape() == Shape{3, 4});
    CHECK(layer.bias.shape() == Shape{3});
    const Tensor x = rng.normal({5, 4}, float64);
    const Tensor a = layer(x);
    CHECK(a.shape() == Shape{5, 3});
    CHECK(layer(x[0]).shape() == Shape{3});
    for (int64_t i = 0; i < 5; ++i) {
      check_close(a[i], by_hand(layer, pair.scalar, row(x, i)));
      check_close(layer(x[i]), by_hand(layer, pair.scalar, row(x, i)));
    }
  }
}

TEST_CASE("nn/linear: z = W x + w0") {
  Rng rng{23};
  const nn::Linear linear{4, 3, rng, nn::gaussian, float64};
  nn::Layer layer{4, 3, nn::identity, rng, nn::gaussian, float64};
  layer.weight = linear.weight.value();
  layer.bias = linear.bias.value();
  const Tensor x = rng.normal({4}, float64);
  check_close(linear(x), by_hand(layer, sigma_identity, x.to_vector<double>()));
  CHECK(linear(rng.normal({2, 6, 4}, float64)).shape() == Shape{2, 6, 3});
}

TEST_CASE("nn/feedforward: a(l) = sigma_l(W(l) a(l-1) + w0(l))") {
  Rng rng{24};
  const nn::FeedForward net{{4, 5, 3, 2}, {nn::tanh, nn::relu, nn::sigmoid}, rng, nn::gaussian, float64};
  const Tensor x = rng.normal({6, 4}, float64);
  const Tensor y = net(x);
  CHECK(y.shape() == Shape{6, 2});
  for (int64_t i = 0; i < 6; ++i) {
    Vector a = by_hand(net.layers[0], sigma_tanh, row(x, i));
    a = by_hand(net.layers[1], sigma_relu, a);
    a = by_hand(net.layers[2], sigma_sigmoid, a);
    check_close(y[i], a);
    check_close(net(x[i]), a);
  }
}

TEST_CASE("nn/feedforward: gradients agree with finite differences") {
  Rng rng{25};
  const nn::FeedForward net{{3, 5, 2}, {nn::tanh, nn::sigmoid}, rng, nn::gaussian, float64};
  const Tensor x = rng.normal({4, 3}, float64);
  const Report report = gradcheck([&] { return net(x); }, parameters(net));
  INFO(report.text());
  CHECK(report.ok());
  CHECK(report.entries().size() == 3 * 5 + 5 + 5 * 2 + 2);

  const nn::Neuron neuron{3, nn::tanh, rng, nn::gaussian, float64};
  CHECK(gradcheck([&] { return neuron(x); }, parameters(neuron)).ok());
  CHECK(gradcheck([&](const Tensor& input) { return net(input); }, {x}).ok());
}

TEST_CASE("nn/feedforward: a parameter given as input is tracked") {
  Rng rng{26};
  const nn::FeedForward net{{3, 2}, {nn::identity}, rng, nn::gaussian, float64};
  const nn::Sequential same(nn::identity);
  const Parameter x(rng.normal({3}, float64));
  Tape tape;
  const Gradients g = tape.gradient(sum(net(x) * 2.0) + sum(same(x)));
  CHECK(g.contains(x));
  const Vector w = net.layers[0].weight.value().to_vector<double>();
  check_close(g[x], {2 * (w[0] + w[3]) + 1, 2 * (w[1] + w[4]) + 1, 2 * (w[2] + w[5]) + 1});
}
