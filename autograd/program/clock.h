#pragma once

// Times the steps of a plan. Internal, not installed.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tapegrad::detail {

// Nanoseconds that one look at the clock takes.
double clock_cost();

// The middle one, or the upper of the two; 0 of none.
double median(std::vector<float> values);

// Notes when each step of a run ends. Only every n-th run is timed, so that looking at the clock takes a
// 50th of the time of all runs.
class StepClock {
 public:
  explicit StepClock(size_t steps);

  // A run begins; whether it is timed.
  bool begin() {
    if (wait_ > 0) {
      --wait_;
      return false;
    }
    whole_ = now();
    return true;
  }
  void start() { last_ = now(); }  // of the first step
  void end_of_step(size_t s) {
    const int64_t t = now();
    sample_[s] = static_cast<float>(static_cast<double>(t - last_) - cost_);
    last_ = t;
  }
  void end();

  int64_t runs() const { return runs_; }
  // Medians over the timed runs, of those that are still kept.
  std::vector<double> step_seconds() const;
  double run_seconds() const;

 private:
  static int64_t now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
  size_t kept() const;

  const size_t steps_;
  const size_t slots_;  // runs that are kept
  const double cost_;   // nanoseconds
  int64_t whole_ = 0, last_ = 0;
  int64_t wait_ = 0;
  int64_t runs_ = 0;
  std::vector<float> sample_;   // of the run under way
  std::vector<float> samples_;  // nanoseconds, run by run
  std::vector<float> wholes_;
};

}  // namespace tapegrad::detail
