#include <cblas.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <stdexcept>

#include "bench/limits/limits.h"
#include "bench/limits/mlp_kernels.h"

namespace tapegrad::bench {

void MlpLimit::Free::operator()(float* memory) const { ::operator delete (memory, std::align_val_t{64}); }

// Zeros, 64-byte aligned.
MlpLimit::Floats MlpLimit::allocate(size_t count) {
  Floats floats(static_cast<float*>(::operator new (count * sizeof(float), std::align_val_t{64})));
  std::fill_n(floats.get(), count, 0.0f);
  return floats;
}

MlpLimit::MlpLimit(std::vector<int64_t> sizes, int64_t batch, float learning_rate, int threads)
    : batch_(static_cast<size_t>(batch)), rate_(learning_rate), team_(threads) {
  if (batch < 1 || sizes.size() < 3)
    throw std::invalid_argument("MlpLimit: a batch and a hidden layer are needed");
  if (sizes.back() < 1 || sizes.back() > static_cast<int64_t>(kHeadStride))
    throw std::invalid_argument("MlpLimit: 1 to 16 classes");
  for (size_t l = 0; l + 1 < sizes.size(); ++l)
    if (sizes[l] < 16 || sizes[l] % 16 != 0)
      throw std::invalid_argument("MlpLimit: sizes are multiples of 16");
  openblas_set_num_threads(1);
  layers_.reserve(sizes.size() - 1);
  size_t widest = 0;
  for (size_t l = 0; l + 1 < sizes.size(); ++l) {
    const size_t inputs = static_cast<size_t>(sizes[l]), outputs = static_cast<size_t>(sizes[l + 1]);
    const bool last = l + 2 == sizes.size();
    Layer& layer = layers_.emplace_back();
    layer.inputs = inputs;
    layer.outputs = outputs;
    layer.weight = allocate(inputs * outputs);
    layer.bias = allocate(outputs);
    layer.activation = allocate(batch_ * (last ? kHeadStride : outputs));
    if (!last) layer.gradient = allocate(batch_ * outputs);
    widest = std::max(widest, outputs);
  }
  sums_ = allocate(widest);
}

void MlpLimit::set(size_t layer, std::span<const float> weight, std::span<const float> bias) {
  Layer& l = layers_.at(layer);
  if (weight.size() != l.inputs * l.outputs || bias.size() != l.outputs)
    throw std::invalid_argument("limit: a parameter has the wrong size");
  std::copy(weight.begin(), weight.end(), l.weight.get());
  std::copy(bias.begin(), bias.end(), l.bias.get());
}

std::vector<float> MlpLimit::weight(size_t layer) const {
  const Layer& l = layers_.at(layer);
  return {l.weight.get(), l.weight.get() + l.inputs * l.outputs};
}

std::vector<float> MlpLimit::bias(size_t layer) const {
  const Layer& l = layers_.at(layer);
  return {l.bias.get(), l.bias.get() + l.outputs};
}

double MlpLimit::flops() const {
  double multiply_adds = 0.0;
  for (size_t l = 0; l < layers_.size(); ++l)
    multiply_adds += static_cast<double>(layers_[l].inputs * layers_[l].outputs * batch_) * (l == 0 ? 2 : 3);
  return 2.0 * multiply_adds;
}

float MlpLimit::step(const float* x, const int64_t* target) {
  return batch_ == 1 ? step_one(x, target) : step_batch(x, target);
}

float MlpLimit::step_one(const float* x, const int64_t* target) {
  const LayerKernels& k = layer_kernels();
  const float* input = x;
  for (size_t l = 0; l < layers_.size(); ++l) {
    Layer& layer = layers_[l];
    k.row_forward(input, layer.weight.get(), layer.bias.get(), layer.activation.get(), layer.outputs,
                  layer.inputs, l + 1 < layers_.size());
    input = layer.activation.get();
  }
  float* gradient = layers_.back().activation.get();
  const float loss = head_kernels().cross_entropy(gradient, target, 1, layers_.back().outputs, rate_);
  for (size_t l = layers_.size(); l-- > 0;) {
    Layer& layer = layers_[l];
    float* below = l == 0 ? nullptr : layers_[l - 1].gradient.get();
    k.row_backward(gradient, l == 0 ? x : layers_[l - 1].activation.get(), layer.weight.get(),
                   layer.bias.get(), below, layer.outputs, layer.inputs);
    gradient = below;
  }
  return loss;
}

// Parts of the batch side by side: nothing of a row depends on another.
void MlpLimit::forward_rows(const float* x, size_t begin, size_t rows) {
  const LayerKernels& k = layer_kernels();
  const float* input = x + begin * layers_[0].inputs;
  for (size_t l = 0; l + 1 < layers_.size(); ++l) {
    Layer& layer = layers_[l];
    const int in = static_cast<int>(layer.inputs), out = static_cast<int>(layer.outputs);
    float* to = layer.activation.get() + begin * layer.outputs;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(rows), out, in, 1.0f, input, in,
                layer.weight.get(), in, 0.0f, to, out);
    k.bias_relu(to, layer.outputs, layer.bias.get(), rows, layer.outputs);
    input = to;
  }
  Layer& last = layers_.back();
  head_kernels().forward(input, last.inputs, last.weight.get(), last.bias.get(),
                         last.activation.get() + begin * kHeadStride, rows, last.inputs, last.outputs);
}

// From the gradient at the layer's activation to that at the activation below, and the layer's update.
void MlpLimit::backward(size_t l, const float* x) {
  const LayerKernels& k = layer_kernels();
  Layer& layer = layers_[l];
  const int in = static_cast<int>(layer.inputs), out = static_cast<int>(layer.outputs);
  float* gradient = layer.gradient.get();
  const auto columns = static_cast<int64_t>(layer.outputs);
  team_.split(
      columns,
      [&](int64_t begin, int64_t end) {
        k.relu_backward(gradient + begin, layer.activation.get() + begin, layer.outputs,
                        layer.bias.get() + begin, sums_.get() + begin, batch_,
                        static_cast<size_t>(end - begin));
      },
      16);
  if (l > 0) {
    team_.split(static_cast<int64_t>(batch_), [&](int64_t begin, int64_t end) {
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(end - begin), in, out, 1.0f,
                  gradient + begin * out, out, layer.weight.get(), in, 0.0f,
                  layers_[l - 1].gradient.get() + begin * in, in);
    });
  }
  const float* below = l == 0 ? x : layers_[l - 1].activation.get();
  team_.split(
      columns,
      [&](int64_t begin, int64_t end) {
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, static_cast<int>(end - begin), in,
                    static_cast<int>(batch_), -1.0f, gradient + begin, out, below, in, 1.0f,
                    layer.weight.get() + begin * in, in);
      },
      16);
}

float MlpLimit::step_batch(const float* x, const int64_t* target) {
  const HeadKernels& h = head_kernels();
  team_.split(static_cast<int64_t>(batch_), [&](int64_t begin, int64_t end) {
    forward_rows(x, static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  });
  // Gradients carry the learning rate from here on, so that an update is W -= D^T A.
  Layer& last = layers_.back();
  Layer& before = layers_[layers_.size() - 2];
  float* z = last.activation.get();
  const float* input = before.activation.get();
  const float loss = h.cross_entropy(z, target, batch_, last.outputs, rate_);
  team_.split(static_cast<int64_t>(batch_), [&](int64_t begin, int64_t end) {
    const size_t from = static_cast<size_t>(begin) * last.inputs;
    h.backward(z + static_cast<size_t>(begin) * kHeadStride, last.weight.get(), input + from,
               before.gradient.get() + from, last.inputs, static_cast<size_t>(end - begin), last.inputs,
               last.outputs);
  });
  h.update(z, input, last.inputs, last.weight.get(), last.bias.get(), batch_, last.inputs, last.outputs);
  for (size_t l = layers_.size() - 1; l-- > 0;) backward(l, x);
  return loss;
}

}  // namespace tapegrad::bench
