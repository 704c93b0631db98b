#pragma once

// Training steps written by hand: forward, loss, backward and plain gradient descent without a graph, on one
// thread or, where they take a Team, on several, in float32, every buffer allocated beforehand. They are what
// the library's times are divided by. Independent of the library; vector code is chosen for the processor at
// run time.
//
// Each network has the same members. set and weight/bias write and read a layer's parameters, weights as
// [out, in] row-major, so that the library's step can start from the same numbers; they start as zeros. step
// runs one step and returns the loss from before the update. flops counts a step's multiply-adds in matrix
// products, two each, without the gradient of the input. Layers count from 0.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bench/limits/team.h"
#include "bench/limits/tiny.h"

namespace tapegrad::bench {

// The SIMD target that the limits run on here, as Highway names it.
const char* limits_target();

// 3-5-1, sigmoid in both layers, squared error, one sample.
class OnlineLimit {
 public:
  explicit OnlineLimit(float learning_rate);

  void set(size_t layer, std::span<const float> weight, std::span<const float> bias);
  std::vector<float> weight(size_t layer) const;
  std::vector<float> bias(size_t layer) const;

  // x: 3 numbers, target: 1.
  float step(const float* x, const float* target) { return step_(state_, x, *target); }
  static constexpr double flops() { return 2.0 * (2 * (3 * 5 + 5) + 5); }

 private:
  OnlineState state_{};
  OnlineStep* step_;
};

// 2-16-16-1, tanh in both hidden layers and none in the last, mean squared error over 1 or 64 samples.
class SmallLimit {
 public:
  // Throws std::invalid_argument for another batch.
  SmallLimit(int64_t batch, float learning_rate);

  void set(size_t layer, std::span<const float> weight, std::span<const float> bias);
  std::vector<float> weight(size_t layer) const;
  std::vector<float> bias(size_t layer) const;

  // x: [batch, 2], target: [batch].
  float step(const float* x, const float* target) {
    return scratch_ ? batch_step_(state_, *scratch_, x, target) : step_(state_, x, *target);
  }
  double flops() const { return 2.0 * (scratch_ ? 64 : 1) * (2 * (2 * 16 + 16 * 16 + 16) + 16 * 16 + 16); }

 private:
  SmallState state_{};
  SmallStep* step_;
  SmallBatchStep* batch_step_;
  std::unique_ptr<SmallBatch> scratch_;  // null for one sample
};

// Layers of the given sizes, ReLU between them, mean cross-entropy with the last layer's sums as logits. The
// large products are BLAS calls with the update folded into the weight gradient's (beta 1); one sample and
// the last layer have loops of their own.
class MlpLimit {
 public:
  // sizes: input, hidden layers, classes. Throws std::invalid_argument unless there is a hidden layer, the
  // sizes but the last are multiples of 16 and there are 1 to 16 classes. Sets OpenBLAS to one thread, for
  // the whole process.
  MlpLimit(std::vector<int64_t> sizes, int64_t batch, float learning_rate, int threads = 1);

  void set(size_t layer, std::span<const float> weight, std::span<const float> bias);
  std::vector<float> weight(size_t layer) const;
  std::vector<float> bias(size_t layer) const;

  // x: [batch, sizes.front()], target: [batch] classes.
  float step(const float* x, const int64_t* target);
  double flops() const;

 private:
  struct Free {
    void operator()(float* memory) const;
  };
  using Floats = std::unique_ptr<float[], Free>;
  struct Layer {
    size_t inputs = 0, outputs = 0;
    Floats weight, bias;
    // [batch, outputs]; the last layer's rows are padded and its gradient takes its activation's place.
    Floats activation, gradient;
  };
  static Floats allocate(size_t count);
  float step_one(const float* x, const int64_t* target);
  void forward_rows(const float* x, size_t begin, size_t rows);
  void backward(size_t layer, const float* x);
  float step_batch(const float* x, const int64_t* target);

  size_t batch_;
  float rate_;
  std::vector<Layer> layers_;
  Floats sums_;
  Team team_;
};

// What DeepLimit works on; weights as [in, out].
struct DeepState {
  static constexpr size_t kSize = 32;
  struct alignas(64) Layer {
    float weight[kSize][kSize] = {};
    float bias[kSize] = {};
    float activation[kSize][kSize] = {};
  };
  std::vector<Layer> layers;
  alignas(64) float input[kSize][kSize];
  float gradient[2][kSize][kSize];
  float turned[kSize][kSize];
  float rate = 0;
};

// Layers of 32 x 32, ReLU in all but the last, mean squared error, batch 32.
class DeepLimit {
 public:
  static constexpr size_t kSize = DeepState::kSize;
  DeepLimit(size_t layers, float learning_rate);

  void set(size_t layer, std::span<const float> weight, std::span<const float> bias);
  std::vector<float> weight(size_t layer) const;
  std::vector<float> bias(size_t layer) const;

  // x and target: [32, 32].
  float step(const float* x, const float* target) { return step_(*state_, x, target); }
  double flops() const;

 private:
  std::unique_ptr<DeepState> state_;
  float (*step_)(DeepState& state, const float* x, const float* target);
};

// The loss is the sum over i of tanh(a x[i] + b) sigmoid(x[i]) - exp(-x[i]^2), which is returned; dx[i] is
// its derivative with respect to x[i].
float chain_limit(const float* x, float a, float b, float* dx, int64_t n, Team& team);

// y = softmax(x) or log_softmax(x) of each of `count` rows of n elements, and dx, the derivative of
// sum(g y) with respect to x.
void softmax_limit(bool logarithm, const float* x, const float* g, float* y, float* dx, int64_t count,
                   int64_t n, Team& team);

}  // namespace tapegrad::bench
