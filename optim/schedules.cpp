#include "optim/schedules.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string_view>
#include <utility>

#include "autograd/raise.h"

namespace tapegrad::optim {
namespace {

// The arguments of one schedule, checked by name.
class Arguments {
 public:
  explicit Arguments(std::string_view schedule) : schedule_(schedule) {}
  Arguments& operator()(std::string_view name, double x, Range range) {
    if (!contains(range, x))
      raise<ArgumentError>("[{}] {} must be {}, given {}", schedule_, name, text(range), x);
    return *this;
  }
  Arguments& at_least(std::string_view name, int64_t n, int64_t least) {
    if (n < least) raise<ArgumentError>("[{}] {} must be at least {}, given {}", schedule_, name, least, n);
    return *this;
  }
  Arguments& rising(std::string_view name, const std::vector<int64_t>& values) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i] >= 0 && (i == 0 || values[i] >= values[i - 1])) continue;
      raise<ArgumentError>("[{}] {} must rise from at least 0, given {} at place {}", schedule_, name,
                           values[i], i);
    }
    return *this;
  }

 private:
  std::string_view schedule_;
};

double real(int64_t n) { return static_cast<double>(n); }

// From `from` to `to` as `part` goes from 0 to 1.
double anneal(bool linear, double from, double to, double part) {
  if (linear) return (to - from) * part + from;
  return to + (from - to) / 2 * (std::cos(std::numbers::pi * part) + 1);
}

}  // namespace

Schedule step_lr(double eta0, int64_t step_size, double gamma) {
  Arguments("step_lr")("eta0", eta0, Range::not_negative)("gamma", gamma, Range::not_negative)
      .at_least("step_size", step_size, 1);
  return [=](int64_t t) { return eta0 * std::pow(gamma, real((t - 1) / step_size)); };
}

Schedule multi_step_lr(double eta0, std::vector<int64_t> milestones, double gamma) {
  Arguments("multi_step_lr")("eta0", eta0, Range::not_negative)("gamma", gamma, Range::not_negative)
      .rising("milestones", milestones);
  return [eta0, gamma, milestones = std::move(milestones)](int64_t t) {
    const auto past = std::upper_bound(milestones.begin(), milestones.end(), t - 1);
    return eta0 * std::pow(gamma, real(past - milestones.begin()));
  };
}

Schedule exponential_lr(double eta0, double gamma) {
  Arguments("exponential_lr")("eta0", eta0, Range::not_negative)("gamma", gamma, Range::not_negative);
  return [=](int64_t t) { return eta0 * std::pow(gamma, real(t - 1)); };
}

Schedule polynomial_lr(double eta0, int64_t total_iters, double power) {
  Arguments("polynomial_lr")("eta0", eta0, Range::not_negative)("power", power, Range::not_negative)
      .at_least("total_iters", total_iters, 1);
  return [=](int64_t t) {
    return eta0 * std::pow(1 - real(std::min(t - 1, total_iters)) / real(total_iters), power);
  };
}

Schedule linear_lr(double eta0, double start_factor, double end_factor, int64_t total_iters) {
  Arguments("linear_lr")("eta0", eta0, Range::not_negative)("start_factor", start_factor, Range::at_most_one)(
      "end_factor", end_factor, Range::at_most_one)
      .at_least("total_iters", total_iters, 1);
  return [=](int64_t t) {
    const double part = real(std::min(t - 1, total_iters)) / real(total_iters);
    return eta0 * (start_factor + (end_factor - start_factor) * part);
  };
}

Schedule constant_lr(double eta0, double factor, int64_t total_iters) {
  Arguments("constant_lr")("eta0", eta0, Range::not_negative)("factor", factor, Range::at_most_one)
      .at_least("total_iters", total_iters, 0);
  return [=](int64_t t) { return t - 1 < total_iters ? eta0 * factor : eta0; };
}

Schedule cosine_annealing_lr(double eta0, int64_t T_max, double eta_min) {
  Arguments("cosine_annealing_lr")("eta0", eta0, Range::not_negative)("eta_min", eta_min, Range::not_negative)
      .at_least("T_max", T_max, 1);
  return [=](int64_t t) { return anneal(false, eta0, eta_min, real(t - 1) / real(T_max)); };
}

Schedule cosine_annealing_warm_restarts(double eta0, int64_t T_0, int64_t T_mult, double eta_min) {
  Arguments("cosine_annealing_warm_restarts")("eta0", eta0, Range::not_negative)("eta_min", eta_min,
                                                                                 Range::not_negative)
      .at_least("T_0", T_0, 1)
      .at_least("T_mult", T_mult, 1);
  return [=](int64_t t) {
    int64_t k = t - 1, length = T_0;
    if (T_mult == 1) k %= T_0;
    for (; k >= length; length *= T_mult) k -= length;
    return anneal(false, eta0, eta_min, real(k) / real(length));
  };
}

Schedule sequential_lr(std::vector<Schedule> schedules, std::vector<int64_t> milestones) {
  if (schedules.empty() || milestones.size() != schedules.size() - 1) {
    raise<ArgumentError>("[sequential_lr] expected one milestone less than schedules, given {} and {}",
                         milestones.size(), schedules.size());
  }
  Arguments("sequential_lr").rising("milestones", milestones);
  return [schedules = std::move(schedules), milestones = std::move(milestones)](int64_t t) {
    const auto past = std::upper_bound(milestones.begin(), milestones.end(), t - 1);
    const int64_t start = past == milestones.begin() ? 0 : past[-1];
    return schedules[static_cast<size_t>(past - milestones.begin())](t - start);
  };
}

Schedule swa_lr(double eta0, double swa_eta, int64_t anneal_epochs, bool linear) {
  Arguments("swa_lr")("eta0", eta0, Range::not_negative)("swa_eta", swa_eta, Range::not_negative)
      .at_least("anneal_epochs", anneal_epochs, 0);
  return [=](int64_t t) {
    if (t - 1 >= anneal_epochs) return swa_eta;
    return anneal(linear, eta0, swa_eta, real(t - 1) / real(anneal_epochs));
  };
}

OneCycle one_cycle_lr(double max_eta, int64_t total_steps, OneCycleOptions options) {
  Arguments("one_cycle_lr")("max_eta", max_eta, Range::not_negative)("pct_start", options.pct_start,
                                                                     Range::at_most_one)(
      "base_momentum", options.base_momentum, Range::below_one)("max_momentum", options.max_momentum,
                                                                Range::below_one)(
      "div_factor", options.div_factor, Range::positive)("final_div_factor", options.final_div_factor,
                                                         Range::positive)
      .at_least("total_steps", total_steps, 1);
  // A number of the cycle: at its start and its end, and between.
  auto cycle = [=](double start, double middle, double after, double end) -> Schedule {
    return [=](int64_t t) {
      const double k = real(std::min(t - 1, total_steps - 1)), last = real(total_steps - 1);
      const double rise = options.pct_start * real(total_steps) - 1, fall = 2 * rise;
      auto between = [&](double from, double to, double a, double b) {
        return b > a ? anneal(options.linear, from, to, (k - a) / (b - a)) : to;
      };
      if (k <= rise) return between(start, middle, 0, rise);
      const double top = std::max(rise, 0.0);
      if (!options.three_phase) return between(middle, end, rise, last);
      if (k <= fall) return between(middle, after, top, fall);
      return between(after, end, fall, last);
    };
  };
  const double initial = max_eta / options.div_factor;
  return {cycle(initial, max_eta, initial, initial / options.final_div_factor),
          cycle(options.max_momentum, options.base_momentum, options.max_momentum, options.max_momentum)};
}

ReduceLROnPlateau::ReduceLROnPlateau(double eta0, ReduceLROnPlateauOptions options)
    : options_(options), state_(std::make_shared<State>()) {
  Arguments("ReduceLROnPlateau")("eta0", eta0, Range::not_negative)(
      "factor", options.factor, Range::below_one)("threshold", options.threshold, Range::not_negative)(
      "min_lr", options.min_lr, Range::not_negative)("eps", options.eps, Range::not_negative)
      .at_least("patience", options.patience, 0)
      .at_least("cooldown", options.cooldown, 0);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  state_->learning_rate = eta0;
  state_->best = options.mode == PlateauMode::min ? kInfinity : -kInfinity;
}

bool ReduceLROnPlateau::is_better(double metric) const {
  const double best = state_->best, threshold = options_.threshold;
  const bool relative = options_.threshold_mode == ThresholdMode::rel;
  if (options_.mode == PlateauMode::min)
    return metric < (relative ? best * (1 - threshold) : best - threshold);
  return metric > (relative ? best * (1 + threshold) : best + threshold);
}

void ReduceLROnPlateau::step(double metric) {
  State& s = *state_;
  if (is_better(metric)) {
    s.best = metric;
    s.num_bad_epochs = 0;
  } else {
    ++s.num_bad_epochs;
  }
  if (s.cooldown_counter > 0) {
    --s.cooldown_counter;
    s.num_bad_epochs = 0;
  }
  if (s.num_bad_epochs <= options_.patience) return;
  const double lower = std::max(s.learning_rate * options_.factor, options_.min_lr);
  if (s.learning_rate - lower > options_.eps) s.learning_rate = lower;
  s.cooldown_counter = options_.cooldown;
  s.num_bad_epochs = 0;
}

ReduceLROnPlateau::operator Schedule() const {
  return [state = state_](int64_t) { return state->learning_rate; };
}

}  // namespace tapegrad::optim
