// LibTorch on the same work, as its manual would have it.

#include <malloc.h>
#include <torch/torch.h>

#include <memory>

#include "bench/peers/peers.h"

namespace tapegrad::bench {
namespace {

torch::Tensor activate(const std::string& name, const torch::Tensor& z) {
  if (name == "relu") return torch::relu(z);
  if (name == "tanh") return torch::tanh(z);
  if (name == "sigmoid") return torch::sigmoid(z);
  return z;
}

torch::Tensor copy_of(const float* elements, torch::IntArrayRef shape) {
  return torch::from_blob(const_cast<float*>(elements), shape, torch::kFloat32).clone();
}

struct Net {
  std::vector<torch::Tensor> weights, biases;
  std::string hidden, last;
  torch::Tensor input, target;
  bool classes;
  std::unique_ptr<torch::optim::SGD> sgd;

  void step() {
    sgd->zero_grad();
    torch::Tensor a = input;
    for (size_t l = 0; l < weights.size(); ++l)
      a = activate(l + 1 < weights.size() ? hidden : last, torch::linear(a, weights[l], biases[l]));
    const torch::Tensor loss =
        classes ? torch::nn::functional::cross_entropy(a, target) : torch::mse_loss(a, target);
    loss.backward();
    sgd->step();
  }
};

template <class F>
PeerStep repeated(F f) {
  return [f](int64_t n) {
    for (int64_t i = 0; i < n; ++i) f();
  };
}

}  // namespace

std::string peer_version() { return std::string("LibTorch ") + TORCH_VERSION; }

// Large blocks stay with the process, as its allocator gives them back to the system otherwise: this makes
// LibTorch faster on large tensors.
void set_peer_threads(int threads) {
  static const bool tuned =
      mallopt(M_MMAP_THRESHOLD, 1 << 30) != 0 && mallopt(M_TRIM_THRESHOLD, 1 << 30) != 0;
  static_cast<void>(tuned);
  if (at::get_num_threads() != threads) at::set_num_threads(threads);
}

PeerStep peer_net(const PeerNet& given) {
  auto net = std::make_shared<Net>();
  net->hidden = given.hidden;
  net->last = given.last;
  net->classes = given.classes;
  std::vector<torch::Tensor> all;
  for (size_t l = 0; l < given.weights.size(); ++l) {
    net->weights.push_back(copy_of(given.weights[l], {given.sizes[l + 1], given.sizes[l]}).requires_grad_());
    net->biases.push_back(copy_of(given.biases[l], {given.sizes[l + 1]}).requires_grad_());
    all.push_back(net->weights.back());
    all.push_back(net->biases.back());
  }
  net->input = copy_of(given.input, given.input_shape);
  net->target =
      given.classes
          ? torch::from_blob(const_cast<int64_t*>(given.labels), given.target_shape, torch::kInt64).clone()
          : copy_of(given.target, given.target_shape);
  net->sgd =
      std::make_unique<torch::optim::SGD>(all, torch::optim::SGDOptions(given.rate).momentum(given.momentum));
  return repeated([net] { net->step(); });
}

PeerStep peer_chain(const float* elements, int64_t n, float a, float b) {
  const torch::Tensor x = copy_of(elements, {n}).requires_grad_();
  return repeated([x, a, b] {
    const torch::Tensor y =
        (torch::tanh(x * a + b) * torch::sigmoid(x) - torch::exp(-torch::square(x))).sum();
    torch::autograd::grad({y}, {x});
  });
}

PeerStep peer_softmax(bool logarithm, const float* elements, const float* cotangent, int64_t rows,
                      int64_t n) {
  const torch::Tensor x = copy_of(elements, {rows, n}).requires_grad_();
  const torch::Tensor g = copy_of(cotangent, {rows, n});
  return repeated([x, g, logarithm] {
    const torch::Tensor y = logarithm ? torch::log_softmax(x, -1) : torch::softmax(x, -1);
    torch::autograd::grad({y}, {x}, {g});
  });
}

PeerStep peer_scalar_chain(int ops) {
  const torch::Tensor p = torch::full({}, 0.5).requires_grad_();
  return repeated([p, ops] {
    torch::Tensor x = p;
    for (int i = 0; i < ops; ++i) x = x * 1.0001f;
    torch::autograd::grad({x}, {p});
  });
}

}  // namespace tapegrad::bench
