#include "bench/ops.h"

#include <autograd/autograd.h>
#include <autograd/samples.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

#include "bench/peaks.h"

namespace tapegrad::bench {
namespace {

constexpr double kLarge = 2e6;  // bytes from which an op is judged

// What an op of each kind should reach: a share of the bandwidth, or a time per element.
struct Kind {
  const char* name;
  double bandwidth;   // at least this share of the triad's; 0: none is asked for
  double ns_element;  // or at most so many ns; 0: no such way out
};
constexpr Kind kArithmetic = {"arithmetic", 0.7, 0};
constexpr Kind kFunction = {"function", 0.7, 2.5};  // 2.5 is LibTorch's tanh
constexpr Kind kReduction = {"reduction", 0.7, 0};
constexpr Kind kMove = {"move", 0.4, 0};
constexpr Kind kOther = {"", 0, 0};

struct FindKeepdim : PassingVisitor {
  using PassingVisitor::field;
  bool found = false;
  void field(std::string_view name, bool&) override { found |= name == "keepdim"; }
};

bool has_keepdim(const Op& op) {
  if (op.options == nullptr) return false;
  const OptionsBox options(op.options);
  FindKeepdim visitor;
  op.options->visit(const_cast<void*>(options.ref().data), visitor);
  return visitor.found;
}

// A pointwise op that is not rounded correctly computes a function; a backward op is like the op it belongs
// to.
Kind kind_of(const Op& op, const Cost& cost) {
  const bool pointwise =
      std::any_of(op.pointwise, op.pointwise + kDTypes, [](PointwiseKernel k) { return k != nullptr; });
  if (pointwise) {
    const Op* forward = find_op(op.name.substr(0, op.name.find("_backward")));
    if (forward == nullptr) forward = &op;
    const bool chooses = forward->boolean_result || forward->first_value != 0;
    return chooses || forward->ulp.float32 == 0.5 ? kArithmetic : kFunction;
  }
  if (has_keepdim(op)) return kReduction;
  return cost.flops == 0 && cost.bytes > 0 ? kMove : kOther;
}

struct Result {
  const Op* op = nullptr;
  std::string name;
  Kind kind = kOther;
  Cost cost;
  int64_t elements = 0;               // of the largest operand or output
  double forward = 0, backward = -1;  // seconds; -1: there is no gradient
  double triad = 0;                   // GB/s for as many bytes

  double rate() const { return cost.bytes / forward * 1e-9; }
  double share() const { return rate() / triad; }
  double ns_element() const { return forward * 1e9 / static_cast<double>(std::max<int64_t>(1, elements)); }
  bool judged() const { return kind.bandwidth > 0 && cost.bytes >= kLarge; }
  bool meets() const {
    return share() >= kind.bandwidth || (kind.ns_element > 0 && ns_element() <= kind.ns_element);
  }
};

// Prints nothing; keeps the seconds of one call in the fastest repetition, which other processes disturb
// least.
class Fastest : public benchmark::BenchmarkReporter {
 public:
  explicit Fastest(bool wall_time) : wall_time_(wall_time) {}
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& r : runs) {
      if (r.run_type != Run::RT_Iteration) continue;
      const double time = wall_time_ ? r.real_accumulated_time : r.cpu_accumulated_time;
      seconds_ = std::min(seconds_, time / static_cast<double>(r.iterations));
    }
  }
  double seconds() const { return seconds_; }

 private:
  bool wall_time_;
  double seconds_ = std::numeric_limits<double>::infinity();
};

void initialize_benchmark(double min_time) {
  constexpr int kRepetitions = 10;
  static char program[] = "tapegrad_bench";  // the library keeps the pointer
  std::string time = fmt::format("--benchmark_min_time={}", min_time / kRepetitions);
  std::string repetitions = fmt::format("--benchmark_repetitions={}", kRepetitions);
  char* arguments[] = {program, time.data(), repetitions.data(), nullptr};
  int count = 3;
  benchmark::Initialize(&count, arguments);
}

// Seconds of one call of f. Each benchmark is registered and run by itself, so that the tensors of one op at
// a time are alive.
template <class F>
double time_of(const std::string& name, const OpsOptions& options, F f) {
  auto* registered = benchmark::RegisterBenchmark(name.c_str(), [&f](benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(f());
  });
  if (options.wall_time) registered->UseRealTime();
  Fastest reporter(options.wall_time);
  benchmark::RunSpecifiedBenchmarks(&reporter, ".");
  benchmark::ClearRegisteredBenchmarks();
  return reporter.seconds();
}

// One record, swept again and again with a random cotangent.
double backward_time(const std::string& name, const Op& op, const Sample& sample, const OpsOptions& options) {
  Tape tape;
  std::vector<Tensor> inputs;
  for (const Tensor& x : sample.inputs) inputs.push_back(is_floating(x.dtype()) ? tape.watch(x) : x);
  Rng rng(3);
  std::vector<Tensor> results, cotangents;
  for (const Tensor& y : run(op, inputs, sample.options.ref())) {
    if (!is_floating(y.dtype())) continue;
    results.push_back(y);
    cotangents.push_back(rng.normal(y.shape(), y.dtype()));
  }
  return time_of(name + "/backward", options, [&] { return tape.gradient(results, cotangents); });
}

Result measure(const std::string& name, const Op& op, const Sample& sample, const OpsOptions& options) {
  Result r;
  r.name = name;
  r.op = &op;
  r.cost = cost_of(op, sample.inputs, sample.options.ref());
  r.kind = kind_of(op, r.cost);
  for (const Tensor& x : sample.inputs) r.elements = std::max(r.elements, x.numel());
  for (const Tensor& y : run(op, sample.inputs, sample.options.ref()))
    r.elements = std::max(r.elements, y.numel());
  r.forward =
      time_of(name + "/forward", options, [&] { return run(op, sample.inputs, sample.options.ref()); });
  if (op.flags.non_differentiable == nullptr) r.backward = backward_time(name, op, sample, options);
  return r;
}

std::string shapes(const Sample& sample) {
  std::string text;
  for (const Tensor& x : sample.inputs)
    text += fmt::format("{}{}", text.empty() ? "" : ",", fmt::join(x.shape(), "x"));
  return text;
}

void print_header() {
  fmt::print("{:<52}{:>12}{:>12}{:>9}{:>9}{:>9}{:>10}  {}\n", "op", "forward us", "backward us", "ns/elem",
             "GB/s", "% triad", "GFLOP/s", "kind");
}

void print_row(const Result& r) {
  fmt::print("{:<52}{:>12.3f}{:>12}{:>9.3f}{:>9}{:>9}{:>10}  {}{}\n", r.name, r.forward * 1e6,
             r.backward < 0 ? "–" : fmt::format("{:.3f}", r.backward * 1e6), r.ns_element(),
             r.cost.bytes > 0 ? fmt::format("{:.1f}", r.rate()) : "–",
             r.cost.bytes > 0 ? fmt::format("{:.0f}", r.share() * 100) : "–",
             r.cost.flops > 0 ? fmt::format("{:.1f}", r.cost.flops / r.forward * 1e-9) : "–", r.kind.name,
             r.judged() && !r.meets() ? "  misses" : "");
  std::fflush(stdout);
}

void print_summary(const std::vector<Result>& results) {
  const auto judged =
      std::count_if(results.begin(), results.end(), [](const Result& r) { return r.judged(); });
  const auto missed =
      std::count_if(results.begin(), results.end(), [](const Result& r) { return r.judged() && !r.meets(); });
  fmt::print("\nAn op that touches {:.0f} MB or more should reach\n", kLarge * 1e-6);
  for (const Kind& k : {kArithmetic, kFunction, kReduction, kMove}) {
    fmt::print("  {:<12}{:.0f} % of the triad over as many bytes{}\n", k.name, k.bandwidth * 100,
               k.ns_element > 0 ? fmt::format(", or {} ns per element", k.ns_element) : "");
  }
  fmt::print("Of {} figures {} miss that:\n", judged, missed);
  for (const Result& r : results) {
    if (!r.judged() || r.meets()) continue;
    fmt::print("  {:<50} {:<10} {:>4.0f} % of {:.0f} GB/s, {:.3f} ns per element\n", r.name, r.kind.name,
               r.share() * 100, r.triad, r.ns_element());
  }
}

nlohmann::json to_json(const Result& r) {
  nlohmann::json j = {{"op", r.op->name},
                      {"name", r.name},
                      {"kind", r.kind.name},
                      {"elements", r.elements},
                      {"bytes", r.cost.bytes},
                      {"flops", r.cost.flops},
                      {"forward_us", r.forward * 1e6},
                      {"backward_us", r.backward < 0 ? nlohmann::json() : nlohmann::json(r.backward * 1e6)},
                      {"ns_per_element", r.ns_element()},
                      {"gbs", r.rate()},
                      {"triad_gbs", r.triad},
                      {"share_of_triad", r.share()}};
  if (r.judged()) j["meets"] = r.meets();
  return j;
}

}  // namespace

nlohmann::json run_ops(const OpsOptions& options) {
  const std::regex filter(options.filter);
  std::vector<Result> results;
  nlohmann::json list = nlohmann::json::array();
  initialize_benchmark(options.min_time);
  print_header();
  for (const Op* op : all_ops()) {
    Samples samples(float32, 1, Samples::Purpose::benchmark);
    op->samples(samples);
    for (const Sample& sample : samples.samples()) {
      const std::string name = fmt::format("{}/{}", op->name, shapes(sample));
      if (!std::regex_search(name, filter)) continue;
      Result r = measure(name, *op, sample, options);
      r.triad = triad_for(r.cost.bytes);
      print_row(r);
      list.push_back(to_json(r));
      results.push_back(std::move(r));
    }
  }
  print_summary(results);
  return list;
}

}  // namespace tapegrad::bench
