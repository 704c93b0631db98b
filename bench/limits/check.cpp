// Checks the hand-written limits: their gradients, read from how the parameters move in a step, against plain
// loops in double; that the loss falls; and that a step allocates nothing.

#include "autograd/kernels/simd_targets.h"

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <string>

#include "bench/allocations.h"
#include "bench/limits/limits.h"
#include "bench/limits/reference.h"

namespace tapegrad::bench {
namespace {

int failures = 0;

void report(const std::string& what, double value, double bound) {
  const bool good = value <= bound;  // false for NaN
  if (!good) ++failures;
  std::printf("%s %-46s %.3g (bound %.3g)\n", good ? "ok  " : "FAIL", what.c_str(), value, bound);
}

std::vector<double> widen(const std::vector<float>& values) { return {values.begin(), values.end()}; }

double largest(const std::vector<double>& values) {
  double most = 0.0;
  for (double v : values) most = std::max(most, std::abs(v));
  return most;
}

// How far (before - after) / rate is from the gradient, in units of what float32 allows: the rounding of the
// parameter itself, and 5e-6 of the largest gradient for sums of up to a thousand products.
double movement_error(const std::vector<double>& before, const std::vector<double>& after,
                      const std::vector<double>& gradient, double rate) {
  const double epsilon = std::numeric_limits<float>::epsilon();
  const double allowed = 5e-6 * largest(gradient) + epsilon * largest(before) / rate;
  double worst = 0.0;
  for (size_t i = 0; i < gradient.size(); ++i) {
    const double error = std::abs((before[i] - after[i]) / rate - gradient[i]) / allowed;
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

// Runs `steps` steps of the limit, each checked from the parameters it starts from.
template <class Limit, class Target>
void check_gradients(const std::string& name, Limit& limit, Reference& reference, double rate,
                     const std::vector<float>& x, const std::vector<Target>& target, int steps) {
  const std::vector<double> inputs = widen(x), targets(target.begin(), target.end());
  double worst = 0.0, worst_loss = 0.0;
  for (int step = 0; step < steps; ++step) {
    for (size_t l = 0; l < reference.layers.size(); ++l) {
      reference.layers[l].weight = widen(limit.weight(l));
      reference.layers[l].bias = widen(limit.bias(l));
    }
    const double wanted = reference.gradients(inputs, targets);
    const double loss = static_cast<double>(limit.step(x.data(), target.data()));
    worst_loss = std::max(worst_loss, std::abs(loss - wanted) / std::max(std::abs(wanted), 1e-3));
    for (size_t l = 0; l < reference.layers.size(); ++l) {
      const Reference::Layer& r = reference.layers[l];
      const double weight = movement_error(r.weight, widen(limit.weight(l)), r.weight_gradient, rate);
      const double bias = movement_error(r.bias, widen(limit.bias(l)), r.bias_gradient, rate);
      if (!(weight <= worst)) worst = weight;
      if (!(bias <= worst)) worst = bias;
    }
  }
  report(name + " gradients, in tolerances", worst, 1.0);
  report(name + " loss, relative", worst_loss, 1e-5);
}

template <class Limit, class Target>
void check_learning(const std::string& name, Limit& limit, const std::vector<float>& x,
                    const std::vector<Target>& target) {
  const float first = limit.step(x.data(), target.data());
  AllocationCount taken;
  {
    const AllocationScope scope;
    for (int i = 0; i < 49; ++i) limit.step(x.data(), target.data());
    taken = scope.count();
  }
  report(name + " allocations in 49 steps", static_cast<double>(taken.allocations), 0.0);
  report(name + " loss after 50 steps / before",
         static_cast<double>(limit.step(x.data(), target.data()) / first), 0.97);
}

std::vector<float> uniform(size_t count, float from, float to, std::mt19937& rng) {
  std::uniform_real_distribution<float> draw(from, to);
  std::vector<float> values(count);
  for (float& v : values) v = draw(rng);
  return values;
}

std::vector<int64_t> classes(size_t count, int64_t most, std::mt19937& rng) {
  std::uniform_int_distribution<int64_t> draw(0, most - 1);
  std::vector<int64_t> values(count);
  for (int64_t& v : values) v = draw(rng);
  return values;
}

template <class Limit>
void initialise(Limit& limit, const std::vector<int64_t>& sizes, std::mt19937& rng) {
  for (size_t l = 0; l + 1 < sizes.size(); ++l) {
    const float bound = std::sqrt(3.0f / static_cast<float>(sizes[l]));
    limit.set(l, uniform(static_cast<size_t>(sizes[l] * sizes[l + 1]), -bound, bound, rng),
              uniform(static_cast<size_t>(sizes[l + 1]), -0.5f, 0.5f, rng));
  }
}

template <class Limit>
void check_tiny(const std::string& name, Limit&& limit, const std::vector<int64_t>& sizes, Activation hidden,
                Activation output, size_t batch, double rate) {
  std::mt19937 rng(7);
  initialise(limit, sizes, rng);
  Reference reference(sizes, hidden, output, Loss::squared_error, batch);
  const std::vector<float> x = uniform(batch * static_cast<size_t>(sizes[0]), -1.0f, 1.0f, rng);
  const std::vector<float> target = uniform(batch, 0.1f, 0.9f, rng);
  check_gradients(name, limit, reference, rate, x, target, 3);
  check_learning(name, limit, x, target);
}

// In a wide network some sum lies so near 0 that float32 and double disagree on ReLU's side. With inputs and
// hidden weights from a coarse grid and biases between its points, the first step's sums are exact and never
// 0.
void check_mlp(const std::string& name, const std::vector<int64_t>& sizes, size_t batch, int threads = 1) {
  std::mt19937 rng(11);
  MlpLimit limit(sizes, static_cast<int64_t>(batch), 0.05f, threads);
  initialise(limit, sizes, rng);
  std::vector<float> x = uniform(batch * static_cast<size_t>(sizes[0]), 0.0f, 1.0f, rng);
  const std::vector<int64_t> target = classes(batch, sizes.back(), rng);
  check_learning(name, limit, x, target);

  for (float& v : x) v = std::round(v * 2.0f) / 2.0f;
  MlpLimit single(sizes, static_cast<int64_t>(batch), 1.0f, threads);
  initialise(single, sizes, rng);
  float unit = 1.0f / 4.0f;  // half the distance between the values a layer's sums can take without bias
  for (size_t l = 0; l + 2 < sizes.size(); ++l) {
    std::vector<float> weight = uniform(static_cast<size_t>(sizes[l] * sizes[l + 1]), -1.49f, 1.49f, rng);
    for (float& v : weight) v = std::round(v) / 16.0f;
    unit /= 16.0f;
    const std::vector<float> bias(static_cast<size_t>(sizes[l + 1]), unit);
    single.set(l, weight, bias);
    unit /= 2.0f;
  }
  Reference reference(sizes, Activation::relu, Activation::identity, Loss::cross_entropy, batch);
  check_gradients(name, single, reference, 1.0, x, target, 1);
}

// As check_mlp: sums of ReLU's layers are exact in the first step and never 0.
void check_deep(size_t layers) {
  std::mt19937 rng(17);
  const std::vector<int64_t> sizes(layers + 1, 32);
  const std::string name = "deep-" + std::to_string(layers) + "x32";
  DeepLimit limit(layers, 0.05f);
  initialise(limit, sizes, rng);
  std::vector<float> x = uniform(32 * 32, 0.0f, 1.0f, rng);
  const std::vector<float> target = uniform(32 * 32, 0.1f, 0.9f, rng);
  check_learning(name, limit, x, target);
  if (layers > 4) return;
  for (float& v : x) v = std::round(v * 2.0f) / 2.0f;
  DeepLimit single(layers, 1.0f);
  initialise(single, sizes, rng);
  float unit = 1.0f / 4.0f;
  for (size_t l = 0; l + 1 < layers; ++l) {
    std::vector<float> weight = uniform(32 * 32, -1.49f, 1.49f, rng);
    for (float& v : weight) v = std::round(v) / 4.0f;
    unit /= 4.0f;
    single.set(l, weight, std::vector<float>(32, unit));
    unit /= 2.0f;
  }
  Reference reference(sizes, Activation::relu, Activation::identity, Loss::squared_error, 32);
  check_gradients(name, single, reference, 1.0, x, target, 1);
}

void check_softmax(bool logarithm, size_t rows, size_t n, int threads) {
  std::mt19937 rng(19);
  const std::vector<float> x = uniform(rows * n, -6.0f, 6.0f, rng), g = uniform(rows * n, -1.0f, 1.0f, rng);
  std::vector<float> y(rows * n), dx(rows * n);
  Team team(threads);
  softmax_limit(logarithm, x.data(), g.data(), y.data(), dx.data(), static_cast<int64_t>(rows),
                static_cast<int64_t>(n), team);
  double worst_value = 0.0, worst_gradient = 0.0;
  for (size_t r = 0; r < rows; ++r) {
    const auto at = [&](const std::vector<float>& v, size_t i) { return static_cast<double>(v[r * n + i]); };
    double sum = 0.0, gradient = 0.0;
    for (size_t i = 0; i < n; ++i) sum += std::exp(at(x, i));
    for (size_t i = 0; i < n; ++i) gradient += at(g, i) * (logarithm ? 1.0 : std::exp(at(x, i)) / sum);
    for (size_t i = 0; i < n; ++i) {
      const double p = std::exp(at(x, i)) / sum;
      const double value = std::abs(at(y, i) - (logarithm ? std::log(p) : p));
      const double slope =
          std::abs(at(dx, i) - (logarithm ? at(g, i) - p * gradient : p * (at(g, i) - gradient)));
      if (!(value <= worst_value)) worst_value = value;
      if (!(slope <= worst_gradient)) worst_gradient = slope;
    }
  }
  const std::string name = std::string(logarithm ? "log-softmax " : "softmax ") + std::to_string(rows) + "x" +
                           std::to_string(n) + ", threads " + std::to_string(threads);
  report(name + " value, absolute", worst_value, logarithm ? 4e-6 : 1e-6);
  report(name + " gradient, absolute", worst_gradient, 4e-6);
}

void check_chain(size_t count, int threads = 1) {
  std::mt19937 rng(13);
  std::vector<float> x = uniform(count, -6.0f, 6.0f, rng);
  const std::vector<float> extreme{0.0f, -0.0f, 1e-6f, 30.0f, -30.0f, 200.0f, -200.0f, 1e4f, -1e4f};
  for (size_t i = 0; i < extreme.size() && i < count; ++i) x[i] = extreme[i];
  std::vector<float> dx(count);
  constexpr float kA = 0.7f, kB = 0.1f;
  const double a = static_cast<double>(kA), b = static_cast<double>(kB);
  Team team(threads);
  const double value =
      static_cast<double>(chain_limit(x.data(), kA, kB, dx.data(), static_cast<int64_t>(count), team));
  double sum = 0.0, magnitude = 0.0, worst = 0.0;
  for (size_t i = 0; i < count; ++i) {
    const double v = static_cast<double>(x[i]);
    const double t = std::tanh(v * a + b), s = 1.0 / (1.0 + std::exp(-v)), e = std::exp(-v * v);
    sum += t * s - e;
    magnitude += std::abs(t * s) + e;
    const double error =
        std::abs(static_cast<double>(dx[i]) - (a * (1 - t * t) * s + t * s * (1 - s) + 2 * v * e));
    if (!(error <= worst)) worst = error;
  }
  const std::string name = "chain " + std::to_string(count);
  report(name + " gradient, absolute", worst, 1e-6);
  report(name + " sum, relative", std::abs(value - sum) / magnitude, 1e-6);
}

void check_counter() {
  AllocationCount taken, given;
  {
    const AllocationScope scope;
    auto numbers = std::make_unique<std::vector<double>>(1000);
    taken = scope.count();
    numbers.reset();
    given = scope.count();
  }
  const double size = 8000.0 + sizeof(std::vector<double>);
  report("counter: allocations missed", std::abs(static_cast<double>(taken.allocations) - 2.0), 0.0);
  report("counter: bytes missed", std::abs(static_cast<double>(taken.bytes) - size), 0.0);
  report("counter: frees missed", std::abs(static_cast<double>(given.frees) - 2.0), 0.0);
  report("counter: peak missed, bytes of rounding", std::abs(static_cast<double>(given.peak_bytes) - size),
         AllocationScope::counts_malloc() ? 64.0 : size);
}

}  // namespace
}  // namespace tapegrad::bench

int main() {
  using namespace tapegrad::bench;
  std::printf("counting %s\n", AllocationScope::counts_malloc() ? "malloc" : "new");
  check_counter();
  // The best target that this processor has, and then, briefly, every other one that was compiled.
  const std::vector<int64_t> targets = hwy::SupportedAndGeneratedTargets();  // best first
  for (const int64_t target : targets) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    std::printf("%s\n", limits_target());
    check_tiny("online-3-5-1", OnlineLimit(0.5f), {3, 5, 1}, Activation::sigmoid, Activation::sigmoid, 1,
               0.5);
    check_tiny("small-b1", SmallLimit(1, 0.1f), {2, 16, 16, 1}, Activation::tanh, Activation::identity, 1,
               0.1f);
    check_tiny("small-b64", SmallLimit(64, 0.1f), {2, 16, 16, 1}, Activation::tanh, Activation::identity, 64,
               0.1f);
    check_mlp("48-32-64-7, batch 5", {48, 32, 64, 7}, 5);
    check_mlp("16-16-2, batch 3", {16, 16, 2}, 3);
    check_mlp("48-32-64-16, batch 1", {48, 32, 64, 16}, 1);
    check_mlp("48-32-64-7, batch 5, threads 3", {48, 32, 64, 7}, 5, 3);
    for (size_t layers : {1, 2, 3, 64}) check_deep(layers);
    for (size_t count : {1, 7, 8, 9, 4099}) check_chain(count);
    check_chain(50000, 3);
    for (const bool logarithm : {false, true}) {
      for (size_t n : {1, 5, 16, 31, 33, 1000}) check_softmax(logarithm, 7, n, 1);
      check_softmax(logarithm, 7, 40, 3);
    }
    if (target != targets.front()) continue;
    for (size_t batch : {1, 32, 128, 1024})
      check_mlp("mlp-b" + std::to_string(batch), {784, 512, 512, 10}, batch);
    check_chain(1000000);
  }
  if (failures > 0) std::printf("%d checks failed\n", failures);
  return failures == 0 ? 0 : 1;
}
