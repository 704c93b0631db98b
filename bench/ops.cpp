#include "bench/ops.h"

#include <autograd/autograd.h>
#include <autograd/samples.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <memory>
#include <string>

namespace tapegrad::bench {
namespace {

struct Case {
  const Op* op;
  Sample sample;
};

std::string shapes(const Sample& sample) {
  std::string text;
  for (const Tensor& x : sample.inputs)
    text += fmt::format("{}{}", text.empty() ? "" : ",", fmt::join(x.shape(), "x"));
  return text;
}

void report(benchmark::State& state, const Cost& cost) {
  const auto per_second = benchmark::Counter::kIsIterationInvariantRate;
  if (cost.flops > 0) state.counters["FLOP/s"] = benchmark::Counter(cost.flops, per_second);
  if (cost.bytes > 0) state.counters["B/s"] = benchmark::Counter(cost.bytes, per_second);
}

void forward(benchmark::State& state, const Case& c) {
  for (auto _ : state) benchmark::DoNotOptimize(run(*c.op, c.sample.inputs, c.sample.options.ref()));
  report(state, cost_of(*c.op, c.sample.inputs, c.sample.options.ref()));
}

// One record, swept again and again with a random cotangent.
void backward(benchmark::State& state, const Case& c) {
  Tape tape;
  std::vector<Tensor> inputs;
  for (const Tensor& x : c.sample.inputs) inputs.push_back(is_floating(x.dtype()) ? tape.watch(x) : x);
  const std::vector<Tensor> outputs = run(*c.op, inputs, c.sample.options.ref());
  Rng rng(3);
  std::vector<Tensor> results, cotangents;
  for (const Tensor& y : outputs) {
    if (!is_floating(y.dtype())) continue;
    results.push_back(y);
    cotangents.push_back(rng.normal(y.shape(), y.dtype()));
  }
  for (auto _ : state) benchmark::DoNotOptimize(tape.gradient(results, cotangents));
}

}  // namespace

void register_ops() {
  for (const Op* op : all_ops()) {
    Samples samples(float32, 1, Samples::Purpose::benchmark);
    op->samples(samples);
    for (const Sample& sample : samples.samples()) {
      auto c = std::make_shared<Case>(Case{op, sample});
      const std::string name = fmt::format("{}/{}", op->name, shapes(sample));
      benchmark::RegisterBenchmark((name + "/forward").c_str(), [c](benchmark::State& s) { forward(s, *c); });
      if (op->flags.non_differentiable == nullptr) {
        benchmark::RegisterBenchmark((name + "/backward").c_str(),
                                     [c](benchmark::State& s) { backward(s, *c); });
      }
    }
  }
}

}  // namespace tapegrad::bench
