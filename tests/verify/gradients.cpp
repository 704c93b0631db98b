#include "tests/verify/gradients.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <regex>

#include "autograd/threads.h"
#include "tests/verify/workers.h"

namespace tapegrad::verify {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

constexpr double kScales[] = {1e-3, 1e-2, 0.1, 0.3, 3, 10, 30};
constexpr double kEnds[] = {1e-3, 30};

// One thread for each op here, instead of several for each loop.
struct OneThreadEach {
  OneThreadEach() { set_num_threads(1); }
  ~OneThreadEach() { set_num_threads(before); }
  int before = num_threads();
};

}  // namespace

bool GraphTally::ok() const {
  const int64_t broken = graphs - equivalent;
  return wrong == 0 && 100 * named >= 98 * broken;
}

OpRow GradientRun::total() const {
  OpRow sum{.op = "total"};
  for (const OpRow& row : rows) {
    sum.tally.merge(row.tally);
    sum.faults.merge(row.faults);
    sum.torch_alarms += row.torch_alarms;
    sum.jax_alarms += row.jax_alarms;
    sum.right_samples += row.right_samples;
    sum.seconds += row.seconds;
  }
  return sum;
}

bool GradientRun::ok() const {
  const OpRow sum = total();
  const bool any = sum.tally.entries + sum.faults.planted + graphs.graphs > 0 || !networks.empty();
  return any && (rounds == 0 || sum.tally.entries > 0) && sum.tally.false_alarms == 0 &&
         200 * sum.faults.missed <= sum.faults.planted - sum.faults.equivalent && graphs.ok() &&
         std::all_of(networks.begin(), networks.end(), [](const NetworkTime& n) { return n.ok; });
}

GradientRun verify_gradients(const GradientRunOptions& options, std::span<const Op* const> ops) {
  const auto start = Clock::now();
  const OneThreadEach threads;
  const std::regex filter(options.filter);
  Progress progress(options.progress);
  GradientRun run;
  std::vector<const Op*> chosen;
  for (const Op* op : ops) {
    if (op->vjp == nullptr || !std::regex_search(std::string(op->name), filter)) continue;
    chosen.push_back(op);
    run.rows.push_back({.op = std::string(op->name)});
  }
  auto each_op = [&](const std::string& what, auto body) {
    parallel(
        options.threads, static_cast<int64_t>(chosen.size()),
        [&](int, int64_t i) {
          const auto begin = Clock::now();
          body(*chosen[static_cast<size_t>(i)], run.rows[static_cast<size_t>(i)]);
          run.rows[static_cast<size_t>(i)].seconds += since(begin);
        },
        [&](double done) { progress.show(what, done); });
  };
  int64_t entries = 0, before = -1;
  // A round that adds nothing would be followed by others.
  while (options.matrix &&
         (run.rounds == 0 || (!options.quick && entries < options.entries && entries > before))) {
    const MatrixEffort effort{
        options.quick ? std::span<const double>(kEnds) : std::span<const double>(kScales), true,
        options.quick ? 6 : 40, options.quick ? 3 : 12};
    const uint64_t seed = options.seed + 1000 * static_cast<uint64_t>(run.rounds);
    each_op("gradients, round " + std::to_string(run.rounds + 1),
            [&](const Op& op, OpRow& row) { check_matrix(op, seed, effort, row.tally); });
    ++run.rounds;
    before = entries;
    entries = run.total().tally.entries;
  }
  if (options.faults) {
    each_op("planted faults", [&](const Op& op, OpRow& row) {
      plant_faults(op, options.seed, options.quick ? 1 : 3, options.quick ? 1000 : 10000, row);
    });
  }
  std::mutex mutex;
  parallel(
      options.threads, options.graphs,
      [&](int, int64_t i) {
        GraphTally one;
        check_graph(options.seed, static_cast<int>(i), one);
        const std::scoped_lock lock(mutex);
        run.graphs.merge(one);
      },
      [&](double done) { progress.show("random graphs", done); });
  // Moving the parameters costs as much whatever the batch.
  for (int64_t batch : {128, 1000}) {
    if (options.network) run.networks.push_back(time_network(options.seed, batch));
  }
  progress.clear();
  run.seconds = since(start);
  return run;
}

}  // namespace tapegrad::verify
