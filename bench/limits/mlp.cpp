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

MlpLimit::MlpLimit(std::vector<int64_t> sizes, int64_t batch, float learning_rate)
    : batch_(static_cast<size_t>(batch)), rate_(learning_rate) {
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

float MlpLimit::step_batch(const float* x, const int64_t* target) {
  const LayerKernels& k = layer_kernels();
  const HeadKernels& h = head_kernels();
  const int rows = static_cast<int>(batch_);
  const size_t head = layers_.size() - 1;
  const float* input = x;
  for (size_t l = 0; l < head; ++l) {
    Layer& layer = layers_[l];
    const int in = static_cast<int>(layer.inputs), out = static_cast<int>(layer.outputs);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, out, in, 1.0f, input, in, layer.weight.get(),
                in, 0.0f, layer.activation.get(), out);
    k.bias_relu(layer.activation.get(), layer.outputs, layer.bias.get(), batch_, layer.outputs);
    input = layer.activation.get();
  }

  // Gradients carry the learning rate from here on, so that an update is W -= D^T A.
  Layer& last = layers_[head];
  Layer& before = layers_[head - 1];
  float* z = last.activation.get();
  h.forward(input, last.inputs, last.weight.get(), last.bias.get(), z, batch_, last.inputs, last.outputs);
  const float loss = h.cross_entropy(z, target, batch_, last.outputs, rate_);
  h.backward(z, last.weight.get(), input, before.gradient.get(), last.inputs, batch_, last.inputs,
             last.outputs);
  h.update(z, input, last.inputs, last.weight.get(), last.bias.get(), batch_, last.inputs, last.outputs);

  for (size_t l = head; l-- > 0;) {
    Layer& layer = layers_[l];
    const int in = static_cast<int>(layer.inputs), out = static_cast<int>(layer.outputs);
    float* gradient = layer.gradient.get();
    k.relu_backward(gradient, layer.activation.get(), layer.outputs, layer.bias.get(), sums_.get(), batch_,
                    layer.outputs);
    const float* below = l == 0 ? x : layers_[l - 1].activation.get();
    if (l > 0)
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, in, out, 1.0f, gradient, out,
                  layer.weight.get(), in, 0.0f, layers_[l - 1].gradient.get(), in);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, out, in, rows, -1.0f, gradient, out, below, in, 1.0f,
                layer.weight.get(), in);
  }
  return loss;
}

}  // namespace tapegrad::bench
