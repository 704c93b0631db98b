#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "autograd/export.h"

namespace tapegrad::optim {

// The step size eta(t) at step t = 1, 2, …. A number is the constant schedule, and any function of t is one:
//   Schedule halving = [](int64_t t) { return t <= 100 ? 0.1 : 0.05; };
class TAPEGRAD_API Schedule {
 public:
  // Throws ArgumentError unless eta is finite and at least 0.
  Schedule(double eta);
  template <class F>
    requires(!std::is_arithmetic_v<F> && !std::same_as<F, Schedule> &&
             std::is_invocable_r_v<double, const F&, int64_t>)
  Schedule(F eta)
      : function_(std::make_shared<const F>(std::move(eta))),
        call_([](const void* function, int64_t t) -> double {
          return (*static_cast<const F*>(function))(t);
        }) {}

  // eta(t). Throws ArgumentError for t < 1 and where the function gives a negative number, an infinity or
  // NaN.
  double operator()(int64_t t) const;

 private:
  std::shared_ptr<const void> function_;
  double (*call_)(const void* function, int64_t t) = nullptr;
  double constant_ = 0;
};

// eta(t) = eta.
TAPEGRAD_API Schedule constant(double eta);
// eta(t) = eta0/(1 + decay·(t − 1)): with decay = 1, eta0/t, which meets Robbins and Monro's conditions.
// Throws ArgumentError unless both are finite and at least 0.
TAPEGRAD_API Schedule inverse_time(double eta0, double decay = 1);

}  // namespace tapegrad::optim
