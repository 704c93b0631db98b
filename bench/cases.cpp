#include "bench/cases.h"

#include <nn/nn.h>
#include <optim/optim.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <memory>
#include <stdexcept>

#include "bench/allocations.h"
#include "bench/limits/limits.h"

namespace tapegrad::bench {
namespace {

// So small that a million steps hardly move a weight: a net that has learned its one batch would compute with
// denormal gradients, which are slow.
constexpr float kRate = 1e-6f;

// One network of a case, on both sides.
struct Net {
  std::string id;
  std::vector<int64_t> sizes;
  std::vector<nn::Activation> activations;
  int64_t batch;
  bool classes;  // cross-entropy on class indices; otherwise the squared error of one number
};

const std::vector<Net>& nets() {
  static const std::vector<Net> list = [] {
    const std::vector<int64_t> mlp = {784, 512, 512, 10};
    const std::vector<nn::Activation> mlp_activations = {nn::relu, nn::relu, nn::identity};
    const std::vector<nn::Activation> small = {nn::tanh, nn::tanh, nn::identity};
    return std::vector<Net>{
        {"online-3-5-1", {3, 5, 1}, {nn::sigmoid, nn::sigmoid}, 1, false},
        {"small-b1", {2, 16, 16, 1}, small, 1, false},
        {"small-b64", {2, 16, 16, 1}, small, 64, false},
        {"mlp-b1", mlp, mlp_activations, 1, true},
        {"mlp-b32", mlp, mlp_activations, 32, true},
        {"mlp-b128", mlp, mlp_activations, 128, true},
        {"mlp-b1024", mlp, mlp_activations, 1024, true},
    };
  }();
  return list;
}

// The hand-written steps behind one face.
class Limit {
 public:
  explicit Limit(const Net& net) {
    if (net.id == "online-3-5-1") online_ = std::make_unique<OnlineLimit>(kRate);
    else if (!net.classes) small_ = std::make_unique<SmallLimit>(net.batch, kRate);
    else mlp_ = std::make_unique<MlpLimit>(net.sizes, net.batch, kRate);
  }
  void set(size_t layer, std::span<const float> weight, std::span<const float> bias) {
    if (online_) online_->set(layer, weight, bias);
    else if (small_) small_->set(layer, weight, bias);
    else mlp_->set(layer, weight, bias);
  }
  std::vector<float> weight(size_t layer) const {
    return online_ ? online_->weight(layer) : small_ ? small_->weight(layer) : mlp_->weight(layer);
  }
  double flops() const { return online_ ? OnlineLimit::flops() : small_ ? small_->flops() : mlp_->flops(); }
  Candidate candidate(const float* x, const float* y, const int64_t* labels) {
    if (online_) return bench::candidate("limit", [this, x, y] { online_->step(x, y); });
    if (small_) return bench::candidate("limit", [this, x, y] { small_->step(x, y); });
    return bench::candidate("limit", [this, x, labels] { mlp_->step(x, labels); });
  }

 private:
  std::unique_ptr<OnlineLimit> online_;
  std::unique_ptr<SmallLimit> small_;
  std::unique_ptr<MlpLimit> mlp_;
};

template <class Step>
int64_t count_steady_allocations(Step&& step) {
  AllocationScope scope;
  for (int i = 0; i < 10; ++i) step();
  return (scope.count().allocations + 9) / 10;
}

template <class Step>
void count_allocations(CaseResult& result, Step&& step) {
  {
    AllocationScope scope;
    for (int i = 0; i < 3; ++i) step();
    result.peak_bytes = scope.count().peak_bytes;
  }
  result.allocations = count_steady_allocations(step);
}

MeasureOptions measure_options(const BenchOptions& options) {
  MeasureOptions m = options.quick ? quick_options() : MeasureOptions{};
  m.pin = options.threads == 1;
  m.clock = options.threads == 1 ? Clock::thread : Clock::wall;
  return m;
}

CaseResult run_net(const Net& net, const BenchOptions& options) {
  Rng rng(1);
  nn::FeedForward model(net.sizes, net.activations, rng, nn::kaiming_uniform);
  optim::SGD sgd(parameters(model), {.learning_rate = kRate});
  const bool single = net.id == "online-3-5-1" || net.id == "small-b1";
  const Tensor x = single ? rng.normal({net.sizes[0]}) : rng.normal({net.batch, net.sizes[0]});
  const Tensor y = single ? rng.normal({1}) : rng.normal({net.batch, 1});
  const Tensor labels = rng.integers({net.batch}, 0, net.sizes.back());
  Limit limit(net);
  for (size_t l = 0; l < model.layers.size(); ++l) {
    limit.set(l, model.layers[l].weight.value().data<float>(), model.layers[l].bias.value().data<float>());
  }
  auto forward = [&] { return net.classes ? cross_entropy(model(x), labels) : mse_loss(model(x), y); };
  auto step = [&] {
    Tape tape;
    const Tensor loss = forward();
    sgd.step(tape.gradient(loss));
  };
  CaseResult result;
  result.id = net.id;
  result.flops = limit.flops();
  Candidate by_hand =
      limit.candidate(x.data<float>().data(), y.data<float>().data(), labels.data<int64_t>().data());
  step();
  by_hand.run(1);
  for (size_t l = 0; l < model.layers.size(); ++l) {
    const Tensor mine = model.layers[l].weight.value();
    const std::vector<float> theirs = limit.weight(l);
    for (size_t i = 0; i < theirs.size(); ++i) {
      result.weight_gap = std::max(result.weight_gap, std::fabs(double{mine.data<float>()[i]} - theirs[i]));
    }
  }
  count_allocations(result, step);
  Program program = capture_step(
      [&](const Tensor& input, const Tensor& target) {
        Tape tape;
        const Tensor loss =
            net.classes ? cross_entropy(model(input), target) : mse_loss(model(input), target);
        sgd.step(tape.gradient(loss));
        return loss;
      },
      x, net.classes ? labels : y);
  auto replay = [&] { program(x, net.classes ? labels : y); };
  replay();
  replay();
  result.allocations_program = count_steady_allocations(replay);
  const Measurement m = measure({by_hand, candidate("eager", step), candidate("program", replay),
                                 candidate("forward",
                                           [&] {
                                             Tape tape;
                                             forward();
                                           })},
                                measure_options(options));
  result.program_us = m["program"].seconds * 1e6;
  result.program_ratio = m["program"].ratio;
  result.program_ratio_error = m["program"].ratio_error;
  result.limit_us = m["limit"].seconds * 1e6;
  result.eager_us = m["eager"].seconds * 1e6;
  result.forward_us = m["forward"].seconds * 1e6;
  result.ratio = m["eager"].ratio;
  result.ratio_error = m["eager"].ratio_error;
  result.aa_spread = m.aa_spread;
  return result;
}

CaseResult run_chain(const BenchOptions& options) {
  constexpr int64_t kCount = 1 << 20;
  constexpr float kA = 0.7f, kB = 0.1f;
  Rng rng(1);
  const Tensor x = rng.normal({kCount});
  std::vector<float> dx(static_cast<size_t>(kCount));
  auto step = [&] {
    Tape tape;
    const Tensor leaf = tape.watch(x);
    const Tensor y = sum(tanh(leaf * kA + kB) * sigmoid(leaf) - exp(-square(leaf)));
    return tape.gradient(y)[leaf];
  };
  CaseResult result;
  result.id = "chain-1m";
  chain_limit(x.data<float>().data(), kA, kB, dx.data(), kCount);
  const Tensor mine = step();
  for (size_t i = 0; i < dx.size(); ++i) {
    result.weight_gap = std::max(result.weight_gap, std::fabs(double{mine.data<float>()[i]} - dx[i]));
  }
  count_allocations(result, step);
  Program program = capture_step(
      [&](const Tensor& input) {
        Tape tape;
        const Tensor leaf = tape.watch(input);
        const Tensor y = sum(tanh(leaf * kA + kB) * sigmoid(leaf) - exp(-square(leaf)));
        return tape.gradient(y)[leaf];
      },
      x);
  auto replay = [&] { program(x); };
  replay();
  replay();
  result.allocations_program = count_steady_allocations(replay);
  const Measurement m =
      measure({candidate("limit", [&] { chain_limit(x.data<float>().data(), kA, kB, dx.data(), kCount); }),
               candidate("eager", step), candidate("program", replay)},
              measure_options(options));
  result.program_us = m["program"].seconds * 1e6;
  result.program_ratio = m["program"].ratio;
  result.program_ratio_error = m["program"].ratio_error;
  result.limit_us = m["limit"].seconds * 1e6;
  result.eager_us = m["eager"].seconds * 1e6;
  result.ratio = m["eager"].ratio;
  result.ratio_error = m["eager"].ratio_error;
  result.aa_spread = m.aa_spread;
  return result;
}

// A chain of 1000 ops on one element, recorded and swept.
CaseResult run_overhead(const BenchOptions& options) {
  constexpr int kOps = 1000;
  const Parameter p(full({}, 0.5));
  auto step = [&] {
    Tape tape;
    Tensor x = p;
    for (int i = 0; i < kOps; ++i) x = x * 1.0001f;
    tape.gradient(x);
  };
  CaseResult result;
  result.id = "op-overhead";
  result.ops = kOps;
  count_allocations(result, step);
  Program program = capture([&] {
    Tensor x = p;
    for (int i = 0; i < kOps; ++i) x = x * 1.0001f;
    return x;
  });
  auto replay = [&] { program(); };
  replay();
  replay();
  result.allocations_program = count_steady_allocations(replay);
  const Measurement m = measure({candidate("eager", step), candidate("program", replay),
                                 candidate("forward",
                                           [&] {
                                             Tape tape;
                                             Tensor x = p;
                                             for (int i = 0; i < kOps; ++i) x = x * 1.0001f;
                                           })},
                                measure_options(options));
  result.eager_us = m["eager"].seconds * 1e6;
  result.program_us = m["program"].seconds * 1e6;
  result.forward_us = m["forward"].seconds * 1e6;
  result.aa_spread = m.aa_spread;
  return result;
}

}  // namespace

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const Net& net : nets()) names.push_back(net.id);
  names.insert(names.end(), {"chain-1m", "op-overhead"});
  return names;
}

CaseResult run_case(const std::string& id, const BenchOptions& options) {
  for (const Net& net : nets()) {
    if (net.id == id) return run_net(net, options);
  }
  if (id == "chain-1m") return run_chain(options);
  if (id == "op-overhead") return run_overhead(options);
  throw std::invalid_argument("no case named " + id);
}

}  // namespace tapegrad::bench
