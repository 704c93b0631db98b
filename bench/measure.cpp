#include "bench/measure.h"

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <stdexcept>

namespace tapegrad::bench {
namespace {

double now(Clock clock) {
  timespec t{};
  clock_gettime(clock == Clock::wall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double seconds_for(const Candidate& candidate, int64_t runs, Clock clock) {
  const double start = now(clock);
  candidate.run(runs);
  return now(clock) - start;
}

// How many runs fill a batch. Grows until a batch is long enough, which warms the candidate up as well.
int64_t runs_per_batch(const Candidate& candidate, double batch_seconds, Clock clock) {
  for (int64_t runs = 1;;) {
    const double taken = std::min(seconds_for(candidate, runs, clock), seconds_for(candidate, runs, clock));
    if (taken >= batch_seconds) return runs;
    const double growth = taken > 0.0 ? std::clamp(1.2 * batch_seconds / taken, 1.2, 16.0) : 16.0;
    runs = static_cast<int64_t>(std::ceil(growth * static_cast<double>(runs)));
  }
}

Ratio centre(const std::vector<double>& values) {
  const double middle = median(values);
  std::vector<double> distances(values.size());
  for (size_t i = 0; i < values.size(); ++i) distances[i] = std::abs(values[i] - middle);
  const double deviation = 1.4826 * median(std::move(distances));
  return {middle, 1.96 * 1.2533 * deviation / std::sqrt(static_cast<double>(values.size()))};
}

Ratio ratio_of(const std::vector<double>& of, const std::vector<double>& to) {
  std::vector<double> ratios(of.size());
  for (size_t i = 0; i < of.size(); ++i) ratios[i] = of[i] / to[i];
  return centre(ratios);
}

}  // namespace

MeasureOptions quick_options() {
  MeasureOptions options;
  options.min_seconds = 0.1;
  options.min_rounds = 7;
  return options;
}

double median(std::vector<double> values) {
  if (values.empty()) throw std::invalid_argument("median of no values");
  const size_t middle = values.size() / 2;
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(middle), values.end());
  if (values.size() % 2 == 1) return values[middle];
  return 0.5 * (values[middle] +
                *std::max_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(middle)));
}

const Timing& Measurement::operator[](std::string_view name) const {
  for (const Timing& timing : timings)
    if (timing.name == name) return timing;
  throw std::out_of_range("no candidate named " + std::string(name));
}

bool Measurement::has(std::string_view name) const {
  return std::any_of(timings.begin(), timings.end(), [&](const Timing& t) { return t.name == name; });
}

Ratio Measurement::ratio(std::string_view of, std::string_view to) const {
  return ratio_of((*this)[of].rounds, (*this)[to].rounds);
}

Measurement measure(const std::vector<Candidate>& candidates, const MeasureOptions& options) {
  if (candidates.empty()) throw std::invalid_argument("measure: no candidates");
  constexpr double kWarmUpBelow =
      10e-3;  // a longer run does not feel the caches that the candidate before it left
  std::optional<PinnedThread> pinned;
  if (options.pin) pinned.emplace();

  std::vector<const Candidate*> entries;
  entries.reserve(candidates.size() + 1);
  for (const Candidate& c : candidates) entries.push_back(&c);
  entries.push_back(&candidates.front());
  const size_t count = entries.size();

  std::vector<int64_t> runs(count);
  for (size_t e = 0; e + 1 < count; ++e)
    runs[e] = runs_per_batch(*entries[e], options.batch_seconds, options.clock);
  runs[count - 1] = runs[0];

  std::vector<std::vector<double>> times(count);
  std::vector<double> total(count, 0.0);
  int rounds = 0;
  const auto done = [&] {
    if (rounds < options.min_rounds) return false;
    return rounds >= options.max_rounds ||
           *std::min_element(total.begin(), total.end()) >= options.min_seconds;
  };
  while (!done()) {
    for (size_t i = 0; i < count; ++i) {
      const size_t e = (i + static_cast<size_t>(rounds)) % count;
      const double last = times[e].empty() ? 0.0 : times[e].back();
      if (last < kWarmUpBelow) entries[e]->run(1);
      const double taken = seconds_for(*entries[e], runs[e], options.clock);
      times[e].push_back(taken / static_cast<double>(runs[e]));
      total[e] += taken;
    }
    ++rounds;
  }

  const auto ratios = [&](size_t e) { return ratio_of(times[e], times[0]); };
  Measurement result;
  for (size_t e = 0; e + 1 < count; ++e) {
    const Ratio ratio = ratios(e);
    result.timings.push_back({entries[e]->name, median(times[e]), ratio.value, ratio.error, times[e]});
  }
  const Ratio again = ratios(count - 1);
  result.aa_ratio = again.value;
  result.aa_spread = std::abs(again.value - 1.0) + again.error;
  result.rounds = rounds;
  return result;
}

PinnedThread::PinnedThread(int core) {
  cpu_set_t before;
  if (sched_getaffinity(0, sizeof before, &before) != 0) return;
  if (core < 0) core = sched_getcpu();
  if (core < 0 || core >= CPU_SETSIZE) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<size_t>(core), &one);
  if (sched_setaffinity(0, sizeof one, &one) != 0) return;
  before_.resize(sizeof before);
  std::memcpy(before_.data(), &before, sizeof before);
  core_ = core;
}

PinnedThread::~PinnedThread() {
  if (core_ < 0) return;
  cpu_set_t before;
  std::memcpy(&before, before_.data(), sizeof before);
  sched_setaffinity(0, sizeof before, &before);
}

}  // namespace tapegrad::bench
