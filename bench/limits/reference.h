#pragma once

// A feed-forward network's loss and gradients in plain loops and double, for checking the limits.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tapegrad::bench {

enum class Activation { identity, relu, tanh, sigmoid };
enum class Loss { squared_error, cross_entropy };

class Reference {
 public:
  struct Layer {
    size_t inputs, outputs;
    std::vector<double> weight, bias;  // [outputs, inputs], [outputs]
    std::vector<double> weight_gradient, bias_gradient;
  };

  // hidden is the activation of every layer but the last.
  Reference(const std::vector<int64_t>& sizes, Activation hidden, Activation output, Loss loss, size_t batch);

  // Fills the gradients of all layers and returns the loss, the mean over the batch. x: [batch, inputs];
  // target: [batch, outputs] for the squared error, which is also the mean over outputs, or [batch] classes.
  double gradients(const std::vector<double>& x, const std::vector<double>& target);

  std::vector<Layer> layers;

 private:
  Activation hidden_, output_;
  Loss loss_;
  size_t batch_;
};

}  // namespace tapegrad::bench
