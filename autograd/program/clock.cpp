#include "autograd/program/clock.h"

#include <algorithm>
#include <cmath>

namespace tapegrad::detail {
namespace {

constexpr double kShare = 0.02;  // of the time of all runs, for looking at the clock

}  // namespace

double clock_cost() {
  static const double cost = [] {
    double best = 1e9;
    for (int round = 0; round < 20; ++round) {
      constexpr int kReads = 100;
      const auto start = std::chrono::steady_clock::now();
      auto last = start;
      for (int i = 0; i < kReads; ++i) last = std::chrono::steady_clock::now();
      best = std::min(best, std::chrono::duration<double, std::nano>(last - start).count() / kReads);
    }
    return best;
  }();
  return cost;
}

double median(std::vector<float> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return static_cast<double>(*middle);
}

StepClock::StepClock(size_t steps)
    : steps_(steps),
      slots_(std::clamp<size_t>((size_t{1} << 20) / std::max<size_t>(steps, 1), 5, 255)),
      cost_(clock_cost()),
      sample_(steps),
      samples_(slots_ * steps),
      wholes_(slots_) {}

void StepClock::end() {
  const double looking = (static_cast<double>(steps_) + 2) * cost_;
  const double whole = std::max(1.0, static_cast<double>(now() - whole_) - looking);
  const size_t slot = static_cast<size_t>(runs_++) % slots_;
  wholes_[slot] = static_cast<float>(whole);
  std::copy(sample_.begin(), sample_.end(), samples_.begin() + static_cast<ptrdiff_t>(slot * steps_));
  wait_ = static_cast<int64_t>(std::ceil((looking + cost_) / (kShare * whole))) - 1;
}

size_t StepClock::kept() const { return std::min(static_cast<size_t>(runs_), slots_); }

std::vector<double> StepClock::step_seconds() const {
  std::vector<double> seconds(steps_);
  std::vector<float> of_step(kept());
  for (size_t s = 0; s < steps_; ++s) {
    for (size_t r = 0; r < of_step.size(); ++r) of_step[r] = samples_[r * steps_ + s];
    seconds[s] = std::max(0.0, median(of_step)) * 1e-9;
  }
  return seconds;
}

double StepClock::run_seconds() const {
  return median({wholes_.begin(), wholes_.begin() + static_cast<ptrdiff_t>(kept())}) * 1e-9;
}

}  // namespace tapegrad::detail
