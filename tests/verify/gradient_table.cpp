#include "tests/verify/gradient_table.h"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "autograd/threads.h"

namespace tapegrad::verify {
namespace {

int64_t count(const Tally& tally, Verdict verdict) { return tally.verdicts[static_cast<size_t>(verdict)]; }

// Verdicts that pass because the point is awkward.
int64_t excused(const Tally& tally) {
  return count(tally, Verdict::kink_in) + count(tally, Verdict::jump) + count(tally, Verdict::nonfinite);
}

double percent(int64_t part, int64_t whole) {
  return whole > 0 ? 100 * static_cast<double>(part) / static_cast<double>(whole) : 100;
}

void print_heading() {
  fmt::print(
      "Verdicts on right gradients, and faults planted into them. excused: kinks, jumps and poles that the "
      "op\n"
      "declares; p50, p99: the relative error bar; torch, jax: of the faults planted, those that the rule "
      "of\n"
      "PyTorch's gradcheck and of JAX's check_grads find.\n\n"
      "{:<34} {:>8} {:>7} {:>7} {:>5} {:>6} {:>7} {:>7} {:>7} {:>6} {:>5} {:>6} {:>6} {:>6} {:>9} {:>7}\n",
      "op", "agree", "zero", "excused", "noisy", "alarms", "p50", "p99", "planted", "caught", "equiv",
      "missed", "torch", "jax", "runs", "seconds");
}

void print_row(const OpRow& row) {
  const Tally& t = row.tally;
  const Planted& f = row.faults;
  fmt::print(
      "{:<34} {:>8} {:>7} {:>7} {:>5} {:>6} {:>7.0e} {:>7.0e} {:>7} {:>6} {:>5} {:>6} {:>6} {:>6} {:>9} "
      "{:>7.2f}\n",
      row.op, count(t, Verdict::agree), count(t, Verdict::agree_zero), excused(t), t.undecided,
      t.false_alarms, t.resolution(0.5), t.resolution(0.99), f.planted, f.caught, f.equivalent, f.missed,
      f.torch_caught, f.jax_caught, t.evaluations, row.seconds);
}

void print_list(const char* heading, const std::vector<std::string>& list) {
  if (list.empty()) return;
  fmt::print("\n{}\n", heading);
  for (const std::string& text : list) fmt::print("  {}\n", text);
}

void print_derivatives(const GradientRun& run, const OpRow& sum) {
  fmt::print(
      "{} derivatives of {} ops in {} rounds: {} false alarms, {} not decided; {} scaled samples outside "
      "their op's domain\n",
      sum.tally.entries, run.rows.size(), run.rounds, sum.tally.false_alarms, sum.tally.undecided,
      sum.tally.skipped);
  fmt::print("resolution: {:.1e} in the median, {:.1e} at the 99th percentile of {} derivatives\n",
             sum.tally.resolution(0.5), sum.tally.resolution(0.99), sum.tally.bars.size());
}

void print_faults(const OpRow& sum) {
  const Planted& f = sum.faults;
  const int64_t real = f.planted - f.equivalent;
  fmt::print("{} faults planted, {} equivalent; of the other {}: {} caught ({:.2f} %), {} missed\n",
             f.planted, f.equivalent, real, f.caught, percent(f.caught, real), f.missed);
  fmt::print(
      "  PyTorch's rule finds {} ({:.1f} %) and calls {} of {} right samples wrong; JAX's finds {} ({:.1f} "
      "%) and calls {} wrong\n",
      f.torch_caught, percent(f.torch_caught, real), sum.torch_alarms, sum.right_samples, f.jax_caught,
      percent(f.jax_caught, real), sum.jax_alarms);
}

void print_graphs(const GraphTally& g) {
  fmt::print(
      "{} random graphs with one broken record each, {} of them equivalent; of the other {}: {} named "
      "({:.1f} %), {} silent; {} named wrongly\n",
      g.graphs, g.equivalent, g.graphs - g.equivalent, g.named, percent(g.named, g.graphs - g.equivalent),
      g.silent, g.wrong);
}

void print_network(const NetworkTime& network) {
  fmt::print(
      "a 784-256-128-10 network, batch of {}, by projection: {:.3f} s, as long as {:.1f} forward passes "
      "({} evaluations){}\n",
      network.batch, network.check, network.passes(), network.evaluations,
      network.ok ? "" : "; called wrong");
}

void print_summary(const GradientRun& run, const OpRow& sum) {
  fmt::print("\n");
  if (run.rounds > 0) print_derivatives(run, sum);
  if (sum.faults.planted > 0) print_faults(sum);
  if (run.graphs.graphs > 0) print_graphs(run.graphs);
  for (const NetworkTime& network : run.networks) print_network(network);
  fmt::print("{:.0f} s\n{}\n", run.seconds, run.ok() ? "ok" : "FAILED");
}

nlohmann::json to_json(const OpRow& row) {
  nlohmann::json verdicts;
  for (size_t v = 0; v < kVerdicts; ++v)
    verdicts[std::string(name(static_cast<Verdict>(v)))] = row.tally.verdicts[v];
  return {{"op", row.op},
          {"entries", row.tally.entries},
          {"verdicts", verdicts},
          {"undecided", row.tally.undecided},
          {"false_alarms", row.tally.false_alarms},
          {"resolution_p50", row.tally.resolution(0.5)},
          {"resolution_p99", row.tally.resolution(0.99)},
          {"planted", row.faults.planted},
          {"caught", row.faults.caught},
          {"equivalent", row.faults.equivalent},
          {"missed", row.faults.missed},
          {"torch_caught", row.faults.torch_caught},
          {"torch_alarms", row.torch_alarms},
          {"jax_caught", row.faults.jax_caught},
          {"jax_alarms", row.jax_alarms},
          {"evaluations", row.tally.evaluations},
          {"seconds", row.seconds}};
}

nlohmann::json to_json(const GradientRun& run, const GradientRunOptions& options) {
  nlohmann::json all = to_json(run.total());
  all.erase("op");
  all["ok"] = run.ok();
  all["seed"] = options.seed;
  all["quick"] = options.quick;
  all["rounds"] = run.rounds;
  all["seconds"] = run.seconds;
  all["graphs"] = {{"graphs", run.graphs.graphs},
                   {"equivalent", run.graphs.equivalent},
                   {"named", run.graphs.named},
                   {"silent", run.graphs.silent},
                   {"wrong", run.graphs.wrong}};
  all["networks"] = nlohmann::json::array();
  for (const NetworkTime& network : run.networks) {
    all["networks"].push_back({{"batch", network.batch},
                               {"forward_seconds", network.forward},
                               {"check_seconds", network.check},
                               {"forward_passes", network.passes()},
                               {"evaluations", network.evaluations}});
  }
  all["keeps_denormals"] = keeps_denormals();
  all["ops"] = nlohmann::json::array();
  for (const OpRow& row : run.rows) all["ops"].push_back(to_json(row));
  return all;
}

}  // namespace

int run_gradients(const GradientRunOptions& options, const std::string& json) {
  if (!keeps_denormals()) {
    fmt::print("This process flushes denormal numbers to zero: gradients below 1e-308 are checked as 0.\n");
  }
  const GradientRun run = verify_gradients(options);
  if (run.rows.empty()) {
    fmt::print(stderr, "verify: no op with a gradient matches '{}'\n", options.filter);
    return 2;
  }
  const OpRow sum = run.total();
  if (options.matrix || options.faults) {
    print_heading();
    for (const OpRow& row : run.rows) print_row(row);
    print_row(sum);
  }
  print_list("Not decided:", sum.tally.undecided_at);
  print_list("False alarms:", sum.tally.alarms);
  print_list("Missed:", sum.faults.missed_at);
  print_list("Graphs:", run.graphs.failures);
  print_summary(run, sum);
  if (!json.empty()) {
    std::ofstream file(json);
    file << to_json(run, options).dump(2) << '\n';
    if (!file.flush()) {
      fmt::print(stderr, "verify: cannot write {}\n", json);
      return 2;
    }
  }
  return run.ok() ? 0 : 1;
}

}  // namespace tapegrad::verify
