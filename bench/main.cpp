// tapegrad_bench: every op, and training steps beside the loops written by hand.

#include <autograd/threads.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "bench/cases.h"
#include "bench/limits/limits.h"
#include "bench/ops.h"
#include "bench/peaks.h"

namespace {

using nlohmann::json;
using tapegrad::bench::CaseResult;

json or_null(double value) { return value < 0 ? json() : json(value); }

json to_json(const CaseResult& r, int threads) {
  json j = {{"id", r.id},
            {"threads", threads},
            {"limit_us", or_null(r.limit_us)},
            {"eager_us", or_null(r.eager_us)},
            {"program_us", or_null(r.program_us)},
            {"libtorch_us", nullptr},
            {"ratio", or_null(r.ratio)},
            {"ratio_error", r.ratio_error},
            {"program_ratio", or_null(r.program_ratio)},
            {"program_ratio_error", r.program_ratio_error},
            {"aa_spread", r.aa_spread},
            {"forward_us", or_null(r.forward_us)},
            {"allocations_eager", r.allocations},
            {"weight_gap", r.weight_gap},
            {"allocations_program", r.allocations_program},
            {"peak_bytes", r.peak_bytes}};
  if (r.ops > 1) j["ns_per_op"] = r.eager_us * 1e3 / r.ops;
  if (r.flops > 0) j["gflops"] = r.flops / r.eager_us * 1e-3;
  return j;
}

void print_header() {
  fmt::print("{:<14}{:>12}{:>12}{:>12}{:>18}{:>18}{:>8}{:>12}{:>10}{:>8}{:>12}\n", "case", "limit us",
             "eager us", "program us", "eager / limit", "program / limit", "A/A ±", "forward us", "GFLOP/s",
             "allocs", "peak bytes");
}

void print_row(const CaseResult& r) {
  const auto number = [](double v) { return v < 0 ? std::string("–") : fmt::format("{:.3f}", v); };
  const auto ratio = [](double v, double error) {
    return v < 0 ? std::string("–") : fmt::format("{:.3f} ± {:.3f}", v, error);
  };
  fmt::print("{:<14}{:>12}{:>12}{:>12}{:>18}{:>18}{:>7.1f}%{:>12}{:>10}{:>8}{:>12}", r.id, number(r.limit_us),
             number(r.eager_us), number(r.program_us), ratio(r.ratio, r.ratio_error),
             ratio(r.program_ratio, r.program_ratio_error), r.aa_spread * 100, number(r.forward_us),
             r.flops > 0 ? fmt::format("{:.2f}", r.flops / r.eager_us * 1e-3) : "–",
             fmt::format("{}/{}", r.allocations, r.allocations_program), r.peak_bytes);
  if (r.ops > 1) {
    fmt::print("   {:.1f} ns per op, program {:.1f}", r.eager_us * 1e3 / r.ops, r.program_us * 1e3 / r.ops);
  }
  fmt::print("\n");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Benchmarks: `steps` times training steps beside hand-written loops, `ops` times every op."};
  std::vector<std::string> what;
  std::string json_file, filter = ".";
  std::vector<std::string> cases;
  tapegrad::bench::BenchOptions options;
  double min_time = 0.1;
  app.add_option("what", what, "steps, ops, or both (the default)")->check(CLI::IsMember({"steps", "ops"}));
  app.add_option("--json", json_file, "write the figures to this file");
  app.add_option("--case", cases, "only these cases")->check(CLI::IsMember(tapegrad::bench::case_names()));
  app.add_option("--filter", filter, "only ops whose NAME/SHAPES matches this regular expression")
      ->check([](const std::string& text) {
        try {
          std::regex{text};
        } catch (const std::regex_error& e) {
          return std::string(e.what());
        }
        return std::string();
      });
  app.add_option("--min-time", min_time, "seconds per op benchmark")->capture_default_str();
  app.add_option("--threads", options.threads, "threads that the library may use")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_flag("--quick", options.quick, "shorter runs, wider intervals");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  const auto wanted = [&](const char* name) {
    return what.empty() || std::find(what.begin(), what.end(), name) != what.end();
  };
  tapegrad::set_num_threads(options.threads);
  const tapegrad::bench::Peaks peaks = tapegrad::bench::measure_peaks();
  fmt::print(
      "{} — {}, {} thread(s); peaks of one thread: gemm {:.1f} / {:.1f} GFLOP/s (float32 / float64), "
      "triad L1 {:.0f}, L2 {:.0f}, L3 {:.0f}, memory {:.0f} GB/s\n\n",
      peaks.processor, peaks.target, options.threads, peaks.gemm_float32, peaks.gemm_float64, peaks.triad_l1,
      peaks.triad_l2, peaks.triad_l3, peaks.triad_dram);
  json results = {{"machine",
                   {{"processor", peaks.processor},
                    {"target", peaks.target},
                    {"gemm_float32_gflops", peaks.gemm_float32},
                    {"gemm_float64_gflops", peaks.gemm_float64},
                    {"triad_l1_gbs", peaks.triad_l1},
                    {"triad_l2_gbs", peaks.triad_l2},
                    {"triad_l3_gbs", peaks.triad_l3},
                    {"triad_dram_gbs", peaks.triad_dram}}},
                  {"cases", json::array()}};
  if (wanted("steps")) {
    print_header();
    for (const std::string& id : tapegrad::bench::case_names()) {
      if (!cases.empty() && std::find(cases.begin(), cases.end(), id) == cases.end()) continue;
      const CaseResult result = tapegrad::bench::run_case(id, options);
      print_row(result);
      results["cases"].push_back(to_json(result, options.threads));
    }
    fmt::print("\n");
  }
  if (wanted("ops")) {
    const double time = options.quick ? std::min(min_time, 0.02) : min_time;
    results["ops"] = tapegrad::bench::run_ops({filter, time, options.threads > 1});
  }
  if (!json_file.empty()) {
    std::ofstream file(json_file);
    file << results.dump(2) << '\n';
    if (!file.flush()) {
      fmt::print(stderr, "tapegrad_bench: cannot write {}\n", json_file);
      return 2;
    }
  }
  return 0;
}
