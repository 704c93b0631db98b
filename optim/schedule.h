#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "autograd/export.h"

namespace tapegrad::optim {

// The step size eta(t) at step t = 1, 2, …, or another number that changes with the steps. A number is the
// constant schedule, and any function of t is one:
//   Schedule halving = [](int64_t t) { return t <= 100 ? 0.1 : 0.05; };
class TAPEGRAD_API Schedule {
 public:
  Schedule(double eta) : constant_(eta) {}
  template <class F>
    requires(!std::is_arithmetic_v<F> && !std::same_as<F, Schedule> &&
             std::is_invocable_r_v<double, const F&, int64_t>)
  Schedule(F eta)
      : function_(std::make_shared<const F>(std::move(eta))),
        call_([](const void* function, int64_t t) -> double {
          return (*static_cast<const F*>(function))(t);
        }) {}

  // eta(t). Throws ArgumentError for t < 1 and where it is negative, infinite or NaN.
  double operator()(int64_t t) const;
  // The same, unchecked.
  double value(int64_t t) const { return call_ == nullptr ? constant_ : call_(function_.get(), t); }
  // The number that the schedule was made of; null for a function.
  const double* number() const { return call_ == nullptr ? &constant_ : nullptr; }

 private:
  std::shared_ptr<const void> function_;
  double (*call_)(const void* function, int64_t t) = nullptr;
  double constant_ = 0;
};

// eta(t) = eta. Throws ArgumentError unless it is finite and at least 0.
TAPEGRAD_API Schedule constant(double eta);
// eta(t) = eta0/(1 + decay·(t − 1)): with decay = 1, eta0/t, which meets Robbins and Monro's conditions.
// Throws ArgumentError unless both are finite and at least 0.
TAPEGRAD_API Schedule inverse_time(double eta0, double decay = 1);

}  // namespace tapegrad::optim
