// A gradient check compares what the tape says with finite differences, which carry an error bar: a
// derivative passes when it lies within the bar and the bar is small. Here a right function, a network, and a
// planted mistake.

#include <fmt/format.h>

#include <autograd/autograd.h>
#include <nn/nn.h>

using namespace tapegrad;

// y = e^(−x²), with a derivative given by hand. The right one is −2xy.
struct Gauss {
  static constexpr std::string_view name = "gauss", doc = "y = e^(−x²)";
  static auto f(auto x) {
    using namespace math;
    return exp(-x * x);
  }
  static auto df(auto x, auto y) { return -2.0 * x * y; }
};

// The same with a factor forgotten: right at x = 0 and nowhere else.
struct WrongGauss : Gauss {
  static constexpr std::string_view name = "wrong_gauss";
  static auto df(auto x, auto y) { return -x * y; }
};

int main() {
  Rng rng(1);
  const Tensor x = rng.normal({3, 4}, float64);
  const Tensor w = rng.normal({4, 2}, float64);

  const Report right =
      gradcheck([](const Tensor& x, const Tensor& w) { return apply(op<Gauss>, {matmul(x, w)}); }, {x, w});
  fmt::print("a right function of two tensors\n");
  print(right);  // in colour on a terminal

  // The same for the parameters of a network: f has no arguments.
  nn::FeedForward net({4, 5, 3}, {nn::tanh, nn::identity}, rng, nn::gaussian, float64);
  const Tensor labels = tensor({0, 2, 1});
  const Report network = gradcheck([&] { return cross_entropy(net(x), labels); }, parameters(net));
  fmt::print("\nevery weight of a 4-5-3 network\n");
  print(network);

  const Report wrong = gradcheck([](const Tensor& x) { return apply(op<WrongGauss>, {x}); }, {x});
  fmt::print("\na derivative with its factor 2 forgotten\n");
  print(wrong);

  const bool caught = !wrong.ok() && wrong.worst().verdict == Verdict::disagree;
  return right.ok() && network.ok() && caught ? 0 : 1;
}
