// tapegrad_bench: every op, and training steps beside the loops written by hand.

#include <autograd/threads.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "bench/budgets.h"
#include "bench/growth.h"
#include "bench/ops.h"
#include "bench/peaks.h"
#include "bench/peers/peers.h"
#include "bench/report.h"
#include "bench/run_case.h"

namespace {

using namespace tapegrad::bench;
using nlohmann::json;

struct Arguments {
  std::vector<std::string> what;
  std::vector<std::string> cases;
  std::string json_file, python_peers, first_steps;
  OpsOptions ops{.filter = "."};
  BenchOptions options;
  double min_time = 0.1;

  bool wants(const char* name) const {
    return what.empty() || std::find(what.begin(), what.end(), name) != what.end();
  }
};

std::string is_regex(const std::string& text) {
  try {
    std::regex{text};
  } catch (const std::regex_error& e) {
    return e.what();
  }
  return {};
}

void declare(CLI::App& app, Arguments& a) {
  app.add_option("what", a.what, "of steps, growth, budgets, ops: which to run (all by default)")
      ->check(CLI::IsMember({"steps", "growth", "budgets", "ops"}));
  app.add_option("--json", a.json_file, "write the figures to this file");
  app.add_option("--case", a.cases, "only these cases of steps")->check(CLI::IsMember(case_names()));
  app.add_option("--filter", a.ops.filter, "only ops whose NAME/SHAPES matches this regular expression")
      ->check(is_regex);
  app.add_option("--min-time", a.min_time, "seconds per op benchmark")->capture_default_str();
  app.add_option("--threads", a.options.threads,
                 "threads that the library may use; steps are then measured with one thread, too")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_flag("--quick", a.options.quick, "shorter runs, wider intervals");
  app.add_option("--peak-of-first-steps", a.first_steps)->group("");  // what the program asks of itself
  app.add_option("--python-peers", a.python_peers,
                 "a file with what bench/peers.py printed, to stand beside the figures");
}

std::vector<CaseResult> run_steps(const Arguments& a, const Peaks& one, const Peaks& many, json& results) {
  const bool peers = !peer_version().empty();
  if (peers) fmt::print("beside {}\n", peer_version());
  print_times_header(peers);
  std::vector<CaseResult> all;
  for (const std::string& id : case_names()) {
    if (!a.cases.empty() && std::find(a.cases.begin(), a.cases.end(), id) == a.cases.end()) continue;
    const Case work = make_case(id);
    for (const CaseResult& result : run_case(work, a.options)) {
      print_times(result, peers);
      results["cases"].push_back(to_json(result, result.threads == 1 ? one : many));
      all.push_back(result);
    }
  }
  print_details(all, one);
  print_threads(all);
  print_missed(all);
  return all;
}

// {"torch": {"version": …, "us": {case: …}}, …}: printed beside the program's times of as many threads.
void print_python_peers(const std::string& file, const std::vector<CaseResult>& steps, int threads,
                        json& results) {
  std::ifstream stream(file);
  const json peers = json::parse(stream, nullptr, false);
  if (!peers.is_object() || peers.empty()) return;
  results["python_peers"] = peers;
  fmt::print("\nUnder Python, each by itself, {} thread(s):\n{:<13}{:>14}", threads, "case", "program us");
  for (const auto& [name, peer] : peers.items())
    fmt::print("{:>22}", name + " " + peer["version"].get<std::string>() + " us");
  fmt::print("\n");
  for (const CaseResult& r : steps) {
    if (r.threads != threads) continue;
    fmt::print("{:<13}{:>14.3f}", r.id, r.program_us);
    for (const auto& [name, peer] : peers.items()) {
      const json& us = peer["us"];
      fmt::print("{:>22}", us.contains(r.id) ? fmt::format("{:.1f}", us[r.id].get<double>()) : "–");
    }
    fmt::print("\n");
  }
}

// Whether those are held that have to be.
bool run_budgets(json& results) {
  bool held = true;
  fmt::print("\n{:<28}{:>12}{:>12}\n", "budget", "at most", "is");
  for (const Budget& b : measure_budgets()) {
    fmt::print("{:<28}{:>12}{:>12} {}\n", b.name, fmt::format("{} {}", b.most, b.unit),
               b.value < 0 ? "–" : fmt::format("{:.4g}", b.value), b.held() ? "held" : "missed");
    results["budgets"].push_back({{"name", b.name},
                                  {"unit", b.unit},
                                  {"most", b.most},
                                  {"value", b.value < 0 ? json() : json(b.value)},
                                  {"held", b.held()}});
    held = held && (b.held() || !b.required);
  }
  return held;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Benchmarks: `steps` times training steps beside hand-written loops, `growth` tapes of 10^2 to 10^7 "
      "records, `budgets` what the library costs a program besides, `ops` every op."};
  Arguments a;
  declare(app, a);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  if (!a.first_steps.empty()) {
    fmt::print("{}\n", peak_of_first_steps(a.first_steps));
    return 0;
  }
  const int threads = a.options.threads;
  json results = json::object();
  int status = 0;
  // First, as long as this process is small: programs are started.
  if (a.wants("budgets") && !run_budgets(results)) status = 1;
  if (a.wants("steps") || a.wants("ops") || a.wants("growth")) {
    const Peaks one = measure_peaks(1), many = threads > 1 ? measure_peaks(threads) : one;
    fmt::print("\n");
    print_machine(one, many);
    results["machine"] = to_json(one);
    if (threads > 1) results["machine"]["several_threads"] = to_json(many);
    results["cases"] = json::array();
    tapegrad::set_num_threads(threads);
    if (a.wants("steps")) {
      const std::vector<CaseResult> steps = run_steps(a, one, many, results);
      if (!a.python_peers.empty()) print_python_peers(a.python_peers, steps, threads, results);
    }
    if (a.wants("growth")) {
      const std::vector<Growth> growth = run_growth(a.options.quick);
      print_growth(growth);
      results["growth"] = to_json(growth);
    }
    if (a.wants("ops")) {
      fmt::print("\n");
      a.ops.min_time = a.options.quick ? std::min(a.min_time, 0.02) : a.min_time;
      a.ops.wall_time = threads > 1;
      results["ops"] = run_ops(a.ops);
    }
  }
  if (!a.json_file.empty()) {
    std::ofstream file(a.json_file);
    file << results.dump(2) << '\n';
    if (!file.flush()) {
      fmt::print(stderr, "tapegrad_bench: cannot write {}\n", a.json_file);
      return 2;
    }
  }
  return status;
}
