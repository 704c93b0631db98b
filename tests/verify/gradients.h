#pragma once

// The gradients of every op against finite differences with an error bar, and proof that faults are found.
//
// Each op is verified at its samples: float64 and, by float64 replay, float32; first and second order; with
// one tensor as several operands; with inputs scaled from 1e-3 to 30 where they stay in its domain; with
// samples from new seeds until so many entries are checked. Then faults are planted into its VJP, and into
// records of random graphs.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "autograd/op.h"
#include "autograd/report.h"

namespace tapegrad::verify {

struct GradientRunOptions {
  std::string filter = ".";  // only ops whose name matches this regular expression
  bool quick = false;        // one round, fewer scales, entries, places and points
  uint64_t seed = 1;
  int threads = 1;
  bool progress = false;        // on standard error, where that is a terminal
  int64_t entries = 1'000'000;  // rounds with new samples until so many are checked; not where quick
  bool matrix = true;           // check right gradients
  bool faults = true;           // plant faults into them
  int graphs = 300;             // random ones
  bool network = true;          // time the check of a 784-256-128-10 network
};

inline constexpr size_t kVerdicts = static_cast<size_t>(Verdict::vacuous) + 1;

// What was found of functions that are right. An entry is one derivative that was compared.
struct Tally {
  int64_t entries = 0;
  std::array<int64_t, kVerdicts> verdicts{};
  int64_t undecided = 0;  // noisy: neither right nor wrong
  int64_t false_alarms = 0;
  int64_t evaluations = 0;
  int64_t skipped = 0;      // scaled samples outside the op's domain
  std::vector<float> bars;  // relative, of each derivative that agrees in first order and float64
  std::vector<std::string> alarms, undecided_at;  // the first of them in words

  void merge(const Tally& other);
  double resolution(double q) const;
};

// What was found of faults. Those not caught are equivalent, or missed.
struct Planted {
  int64_t planted = 0;
  int64_t caught = 0;
  int64_t equivalent = 0;  // within 1e-12 of the right VJP at 10⁴ random points
  int64_t missed = 0;
  int64_t torch_caught = 0, jax_caught = 0;  // by the usual rules, of the same faults
  std::vector<std::string> missed_at;

  void merge(const Planted& other);
};

struct OpRow {
  std::string op;
  Tally tally{};
  Planted faults{};
  // Of the samples that faults were planted at, those that a usual rule calls wrong though they are right.
  int64_t torch_alarms = 0, jax_alarms = 0, right_samples = 0;
  double seconds = 0;
};

// Random graphs with one broken VJP each.
struct GraphTally {
  int64_t graphs = 0;
  int64_t equivalent = 0;  // the fault changes no contribution of that record
  int64_t named = 0;       // exactly the broken record, of those that are not equivalent
  int64_t silent = 0;      // no record was named
  int64_t wrong = 0;       // some other record was named
  std::vector<std::string> failures{};

  void merge(const GraphTally& other);
  // 98 % named, and none wrongly.
  bool ok() const;
};

struct NetworkTime {
  int64_t batch = 0;
  double forward = 0;  // seconds of one pass
  double check = 0;    // seconds of a check by projection
  int64_t evaluations = 0;
  bool ok = true;
  double passes() const { return forward > 0 ? check / forward : 0; }
};

struct GradientRun {
  std::vector<OpRow> rows;
  GraphTally graphs;
  std::vector<NetworkTime> networks;
  int rounds = 0;
  double seconds = 0;

  OpRow total() const;
  // Something was checked; of each part that ran: no false alarm, at most 0.5 % of the faults missed, no
  // record named wrongly and 98 % of them named.
  bool ok() const;
};

GradientRun verify_gradients(const GradientRunOptions& options, std::span<const Op* const> ops = all_ops());

// The parts.
struct MatrixEffort {
  std::span<const double> scales;
  bool base;  // the samples as they are, too: structure, repeated operands, float32
  int64_t entries;
  int64_t second_order_entries;
};
void check_matrix(const Op& op, uint64_t seed, const MatrixEffort& effort, Tally& tally);
// Every fault at up to `places` samples on which it shows; `points`: compared before one is equivalent.
void plant_faults(const Op& op, uint64_t seed, int places, int64_t points, OpRow& row);
// Graph number `number`, of up to 60 ops.
void check_graph(uint64_t seed, int number, GraphTally& tally);
NetworkTime time_network(uint64_t seed, int64_t batch);

}  // namespace tapegrad::verify
