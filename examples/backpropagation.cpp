// The back-propagation algorithm twice, side by side: the textbook's equations written out on
// std::vector<double>, and the tape. Both start from the same weights and see the same samples, so they must
// end at the same weights.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <autograd/autograd.h>
#include <nn/nn.h>
#include <optim/optim.h>

using namespace tapegrad;

namespace {

using Vector = std::vector<double>;

struct Layer {
  size_t in, out;
  Vector w;   // W(l), [out, in], row-major
  Vector w0;  // w0(l), [out]
};
using Network = std::vector<Layer>;

// One step of the algorithm on the sample (x, y) for J = Σ (a(L) − y)², all layers with a sigmoid.
// The text's loop updates W(l) as soon as its gradient is known. Read to the letter, dJ/da(l−1) is then
// computed from the new W(l); the chain rule wants the one of the forward pass. `literal` does it to the
// letter.
void step(Network& net, const Vector& x, const Vector& y, double eta, bool literal) {
  std::vector<Vector> a = {x};  // a(0) = x
  for (const Layer& layer : net) {
    Vector next(layer.out);
    for (size_t i = 0; i < layer.out; ++i) {
      double z = layer.w0[i];
      for (size_t j = 0; j < layer.in; ++j) z += layer.w[i * layer.in + j] * a.back()[j];
      next[i] = 1 / (1 + std::exp(-z));  // a(l) = sigma(W(l) a(l−1) + w0(l))
    }
    a.push_back(next);
  }
  Vector da(y.size());
  for (size_t i = 0; i < y.size(); ++i) da[i] = 2 * (a.back()[i] - y[i]);
  for (size_t l = net.size(); l > 0; --l) {
    Layer& layer = net[l - 1];
    Vector dz(layer.out), da_below(layer.in);
    for (size_t i = 0; i < layer.out; ++i) dz[i] = da[i] * a[l][i] * (1 - a[l][i]);
    auto update = [&] {
      for (size_t i = 0; i < layer.out; ++i) {
        for (size_t j = 0; j < layer.in; ++j) layer.w[i * layer.in + j] -= eta * dz[i] * a[l - 1][j];
        layer.w0[i] -= eta * dz[i];
      }
    };
    if (literal) update();
    for (size_t i = 0; i < layer.out; ++i) {
      for (size_t j = 0; j < layer.in; ++j) da_below[j] += layer.w[i * layer.in + j] * dz[i];
    }
    if (!literal) update();
    da = da_below;
  }
}

// The weights of a library network, in the form of this file.
Network read(const nn::FeedForward& net) {
  Network layers;
  for (const CellRef& cell : parameters(net)) {
    const Tensor value = cell.value();
    if (value.rank() == 2) {
      const auto out = static_cast<size_t>(value.size(0)), in = static_cast<size_t>(value.size(1));
      layers.push_back({in, out, value.to_vector<double>(), {}});
    } else {
      layers.back().w0 = value.to_vector<double>();
    }
  }
  return layers;
}

double largest_difference(const Network& a, const Network& b) {
  double largest = 0;
  auto compare = [&](const Vector& p, const Vector& q) {
    for (size_t i = 0; i < p.size(); ++i) {
      if (!(std::fabs(p[i] - q[i]) <= largest)) largest = std::fabs(p[i] - q[i]);
    }
  };
  for (size_t l = 0; l < a.size(); ++l) {
    compare(a[l].w, b[l].w);
    compare(a[l].w0, b[l].w0);
  }
  return largest;
}

void print(const char* title, const Network& net) {
  fmt::print("{}\n", title);
  for (size_t l = 0; l < net.size(); ++l) {
    fmt::print("  W({}) = {:7.4f} ...  w0({}) = {:7.4f}\n", l + 1,
               fmt::join(net[l].w.begin(), net[l].w.begin() + 4, " "), l + 1,
               fmt::join(net[l].w0.begin(), net[l].w0.begin() + 2, " "));
  }
}

}  // namespace

int main() {
  constexpr int kSteps = 1000;
  const optim::Schedule eta = optim::inverse_time(0.5, 0.001);  // eta(t) = 0.5/(1 + 0.001·(t − 1))

  // 64 samples of three numbers and two yes/no answers: is the sum positive, is the product?
  Rng rng(3);
  std::vector<Vector> xs, ys;
  for (int k = 0; k < 64; ++k) {
    const Vector x = {rng.normal(), rng.normal(), rng.normal()};
    xs.push_back(x);
    ys.push_back({x[0] + x[1] + x[2] > 0 ? 1.0 : 0.0, x[0] * x[1] * x[2] > 0 ? 1.0 : 0.0});
  }

  // The text's initial weights, W from Gaussian(0, 1/inputs) and w0 from Gaussian(0, 1), are the default.
  nn::FeedForward net({3, 5, 4, 2}, {nn::sigmoid, nn::sigmoid, nn::sigmoid}, rng, nn::gaussian, float64);
  optim::SGD sgd(parameters(net), {.learning_rate = eta});
  Network by_hand = read(net);
  Network to_the_letter = by_hand;

  for (int t = 1; t <= kSteps; ++t) {
    const auto k = static_cast<size_t>(rng.integer(0, 64));  // one random sample
    const Tensor x = from_vector(xs[k], {3});
    const Tensor y = from_vector(ys[k], {2});
    Tape tape;
    sgd.step(tape.gradient(mse_loss(net(x), y, Reduction::sum)));
    step(by_hand, xs[k], ys[k], eta(t), false);
    step(to_the_letter, xs[k], ys[k], eta(t), true);
    if (t > 1) continue;
    fmt::print("after 1 step, the literal reading is off by {:.2e}\n",
               largest_difference(by_hand, to_the_letter));
  }

  const Network by_tape = read(net);
  print("weights by hand", by_hand);
  print("weights by the tape", by_tape);
  print("weights by the literal reading, W(l) updated before layer l-1 reads it", to_the_letter);
  const double difference = largest_difference(by_hand, by_tape);
  const double drift = largest_difference(by_hand, to_the_letter);
  fmt::print("after {} steps: hand and tape differ by {:.2e} at most, the literal reading by {:.2e}\n",
             kSteps, difference, drift);
  return difference <= 1e-12 && drift > 1e-6 ? 0 : 1;
}
