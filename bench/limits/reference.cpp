#include "bench/limits/reference.h"

#include <algorithm>
#include <cmath>

namespace tapegrad::bench {
namespace {

double activate(Activation activation, double z) {
  switch (activation) {
    case Activation::identity: return z;
    case Activation::relu: return z > 0.0 ? z : 0.0;
    case Activation::tanh: return std::tanh(z);
    case Activation::sigmoid: return 1.0 / (1.0 + std::exp(-z));
  }
  return 0.0;
}

// The derivative by z from the value y = activate(z).
double slope(Activation activation, double y) {
  switch (activation) {
    case Activation::identity: return 1.0;
    case Activation::relu: return y > 0.0 ? 1.0 : 0.0;
    case Activation::tanh: return 1.0 - y * y;
    case Activation::sigmoid: return y * (1.0 - y);
  }
  return 0.0;
}

// The loss of one sample; y becomes the loss's gradient by it.
double squared_error(double* y, const double* target, size_t outputs) {
  double sum = 0.0;
  for (size_t o = 0; o < outputs; ++o) {
    const double error = y[o] - target[o];
    sum += error * error;
    y[o] = 2.0 * error / static_cast<double>(outputs);
  }
  return sum / static_cast<double>(outputs);
}

double cross_entropy(double* y, double target, size_t outputs) {
  const double largest = *std::max_element(y, y + outputs);
  double sum = 0.0;
  for (size_t o = 0; o < outputs; ++o) sum += std::exp(y[o] - largest);
  const size_t wanted = static_cast<size_t>(target);
  const double loss = std::log(sum) + largest - y[wanted];
  for (size_t o = 0; o < outputs; ++o) y[o] = std::exp(y[o] - largest) / sum - (o == wanted ? 1.0 : 0.0);
  return loss;
}

}  // namespace

Reference::Reference(const std::vector<int64_t>& sizes, Activation hidden, Activation output, Loss loss,
                     size_t batch)
    : hidden_(hidden), output_(output), loss_(loss), batch_(batch) {
  for (size_t l = 0; l + 1 < sizes.size(); ++l) {
    layers.emplace_back();
    layers[l].inputs = static_cast<size_t>(sizes[l]);
    layers[l].outputs = static_cast<size_t>(sizes[l + 1]);
  }
}

double Reference::gradients(const std::vector<double>& x, const std::vector<double>& target) {
  for (Layer& l : layers) {
    l.weight_gradient.assign(l.weight.size(), 0.0);
    l.bias_gradient.assign(l.bias.size(), 0.0);
  }
  const double share = 1.0 / static_cast<double>(batch_);
  const size_t inputs = layers.front().inputs, outputs = layers.back().outputs;
  double loss = 0.0;
  for (size_t n = 0; n < batch_; ++n) {
    std::vector<std::vector<double>> a{{x.begin() + static_cast<ptrdiff_t>(n * inputs),
                                        x.begin() + static_cast<ptrdiff_t>((n + 1) * inputs)}};
    for (size_t l = 0; l < layers.size(); ++l) {
      const Layer& layer = layers[l];
      const Activation activation = l + 1 < layers.size() ? hidden_ : output_;
      std::vector<double> y(layer.bias);
      for (size_t o = 0; o < layer.outputs; ++o) {
        for (size_t i = 0; i < layer.inputs; ++i) y[o] += layer.weight[o * layer.inputs + i] * a[l][i];
        y[o] = activate(activation, y[o]);
      }
      a.push_back(std::move(y));
    }
    std::vector<double> gradient = a.back();
    loss +=
        share * (loss_ == Loss::squared_error ? squared_error(gradient.data(), &target[n * outputs], outputs)
                                              : cross_entropy(gradient.data(), target[n], outputs));
    for (size_t l = layers.size(); l-- > 0;) {
      Layer& layer = layers[l];
      const Activation activation = l + 1 < layers.size() ? hidden_ : output_;
      std::vector<double> below(layer.inputs, 0.0);
      for (size_t o = 0; o < layer.outputs; ++o) {
        const double dz = gradient[o] * slope(activation, a[l + 1][o]);
        layer.bias_gradient[o] += share * dz;
        for (size_t i = 0; i < layer.inputs; ++i) {
          layer.weight_gradient[o * layer.inputs + i] += share * dz * a[l][i];
          below[i] += dz * layer.weight[o * layer.inputs + i];
        }
      }
      gradient = std::move(below);
    }
  }
  return loss;
}

}  // namespace tapegrad::bench
