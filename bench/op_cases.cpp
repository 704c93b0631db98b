// Cases without a network: chains of ops and rows.

#include <autograd/autograd.h>

#include <cmath>

#include "bench/cases.h"
#include "bench/limits/limits.h"

namespace tapegrad::bench {
namespace {

double largest_difference(std::span<const float> a, std::span<const float> b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::fabs(double{a[i]} - b[i]);
    if (!(difference <= most)) most = difference;
  }
  return most;
}

// f(leaf) gives what the gradient is taken of, with that cotangent, by one watched tensor x.
template <class F>
auto gradient_of(F f) {
  return [f](const Tensor& input, const Tensor& g) {
    Tape tape;
    const Tensor leaf = tape.watch(input);
    return tape.gradient(f(leaf), g)[leaf];
  };
}

template <class F>
void add_eager(Case& result, F f, const Tensor& x, const Tensor& cotangent) {
  result.eager = candidate("eager", [=, gradient = gradient_of(f)] { gradient(x, cotangent); });
}

template <class F>
void add_steps(Case& result, F f, const Tensor& x, const Tensor& cotangent) {
  const auto gradient = gradient_of(f);
  const auto forward = [f](const Tensor& input) {
    Tape tape;
    return f(tape.watch(input));
  };
  result.forward = candidate("forward", [=] { forward(x); });
  result.predicted_bytes = static_cast<long long>(
      plan_step(gradient, TensorSpec{x.shape()}, TensorSpec{cotangent.shape()}).peak());
  Program program = capture_step(gradient, x, cotangent);
  result.program = candidate("program", [=]() mutable { program(x, cotangent); });
  Program program_forward = capture_step(forward, x);
  result.program_forward = candidate("program forward", [=]() mutable { program_forward(x); });
  add_cost(result, program, std::vector<Tensor>{x, cotangent});
}

}  // namespace

Case make_chain_case(Parts parts) {
  constexpr int64_t kCount = 1 << 20;
  constexpr float kA = 0.7f, kB = 0.1f;
  const auto f = [](const Tensor& x) { return sum(tanh(x * kA + kB) * sigmoid(x) - exp(-square(x))); };
  Rng rng(1);
  const Tensor x = rng.normal({kCount});
  auto dx = std::make_shared<std::vector<float>>(static_cast<size_t>(kCount));
  Case result;
  result.id = "chain-1m";
  result.eager_target = {0.8, Basis::peer};
  result.program_target = {1.5};
  add_eager(result, f, x, ones({}));
  if (parts == Parts::eager) return result;
  result.limit = [=](int threads) {
    auto team = std::make_shared<Team>(threads);
    return candidate("limit",
                     [=] { chain_limit(x.data<float>().data(), kA, kB, dx->data(), kCount, *team); });
  };
  result.peer = peer_chain(x.data<float>().data(), kCount, kA, kB);
  result.limit(1).run(1);
  {
    Tape tape;
    const Tensor leaf = tape.watch(x);
    result.difference = largest_difference(tape.gradient(f(leaf))[leaf].data<float>(), *dx);
  }
  add_steps(result, f, x, ones({}));
  return result;
}

Case make_softmax_case(bool logarithm, Parts parts) {
  constexpr int64_t kRows = 512, kSize = 1000;
  const auto f = [logarithm](const Tensor& x) { return logarithm ? log_softmax(x, -1) : softmax(x, -1); };
  Rng rng(1);
  const Tensor x = rng.normal({kRows, kSize}), g = rng.normal({kRows, kSize});
  auto y = std::make_shared<std::vector<float>>(static_cast<size_t>(kRows * kSize));
  auto dx = std::make_shared<std::vector<float>>(y->size());
  Case result;
  result.id = logarithm ? "log-softmax" : "softmax";
  result.eager_target = {1.25};
  result.program_target = {1.2};
  add_eager(result, f, x, g);
  if (parts == Parts::eager) return result;
  result.limit = [=](int threads) {
    auto team = std::make_shared<Team>(threads);
    return candidate("limit", [=] {
      softmax_limit(logarithm, x.data<float>().data(), g.data<float>().data(), y->data(), dx->data(), kRows,
                    kSize, *team);
    });
  };
  result.peer = peer_softmax(logarithm, x.data<float>().data(), g.data<float>().data(), kRows, kSize);
  result.limit(1).run(1);
  {
    Tape tape;
    const Tensor leaf = tape.watch(x);
    result.difference = largest_difference(tape.gradient(f(leaf), g)[leaf].data<float>(), *dx);
  }
  add_steps(result, f, x, g);
  return result;
}

// A chain of 1000 ops on one element, recorded and swept.
Case make_overhead_case(Parts parts) {
  constexpr int kOps = 1000;
  const auto f = [q = Parameter(full({}, 0.5))] {
    Tensor x = q;
    for (int i = 0; i < kOps; ++i) x = x * 1.0001f;
    return x;
  };
  Case result;
  result.id = "op-overhead";
  result.eager_target = {60, Basis::nanoseconds};
  result.program_target = {12, Basis::nanoseconds};
  result.ops = kOps;
  result.eager = candidate("eager", [f] {
    Tape tape;
    tape.gradient(f());
  });
  if (parts == Parts::eager) return result;
  result.peer = peer_scalar_chain(kOps);
  result.forward = candidate("forward", [f] {
    Tape tape;
    f();
  });
  result.predicted_bytes = static_cast<long long>(plan(f).peak());
  Program program = capture(f), program_forward = capture_step(f);
  result.program = candidate("program", [program]() mutable { program(); });
  result.program_forward = candidate("program forward", [program_forward]() mutable { program_forward(); });
  add_cost(result, program, {});
  return result;
}

}  // namespace tapegrad::bench
