// Two layers of neurons learn XOR, which one neuron cannot (see neuron.cpp): the hidden layer bends the plane
// so that the output neuron finds a line.

#include <fmt/format.h>

#include <vector>

#include <autograd/autograd.h>
#include <nn/nn.h>
#include <optim/optim.h>

using namespace tapegrad;

int main() {
  const Tensor x = tensor({{0.0, 0.0}, {0.0, 1.0}, {1.0, 0.0}, {1.0, 1.0}});
  const Tensor y = tensor({{0.0}, {1.0}, {1.0}, {0.0}});

  Rng rng(42);
  nn::FeedForward net({2, 4, 1}, {nn::tanh, nn::sigmoid}, rng);
  optim::SGD sgd(parameters(net), {.learning_rate = 0.5, .momentum = 0.9});

  fmt::print("a 2-4-1 network with {} weights\n", count_parameters(net));
  for (int t = 1; t <= 2000; ++t) {
    Tape tape;
    const Tensor loss = mse_loss(net(x), y);
    sgd.step(tape.gradient(loss));
    if (t == 1 || t == 100 || t == 500 || t == 2000) fmt::print("step {:4}: loss {:.6f}\n", t, loss.item());
  }

  // No tape here, so nothing is recorded.
  const std::vector<float> in = x.to_vector<float>();
  const std::vector<float> wanted = y.to_vector<float>();
  const std::vector<float> given = net(x).to_vector<float>();
  bool learned = true;
  fmt::print("\nx1 x2 | xor | network\n");
  for (size_t i = 0; i < 4; ++i) {
    const bool right = wanted[i] == 1 ? given[i] >= 0.9f : given[i] <= 0.1f;
    learned = learned && right;
    fmt::print(" {}  {} |  {}  | {:.4f}{}\n", in[2 * i], in[2 * i + 1], wanted[i], given[i],
               right ? "" : "  wrong");
  }
  fmt::print("\n{}\n", learned ? "learned" : "not learned");
  return learned ? 0 : 1;
}
