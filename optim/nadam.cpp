#include "optim/nadam.h"

#include <cmath>

#include "optim/core.h"
#include "optim/means.h"

namespace tapegrad::optim {
namespace detail {

template <>
struct Rule<NAdam> {
  static constexpr bool carries_product = true;
  static const Op* op(const NAdamOptions&) { return &ops::step_op(ops::Step::nadam); }
  static void numbers(const NAdamOptions& o, Now& now, double* to) {
    auto n = started<ops::NadamNumbers>(o);
    const Means means(o.betas, now);
    means.put_into(n);
    auto mu = [&](int64_t step) {
      return means.beta1 * (1 - 0.5 * std::pow(0.96, static_cast<double>(step) * o.momentum_decay));
    };
    const double here = mu(now.step), next = mu(now.step + 1);
    now.product *= here;
    n.rate_g = now.learning_rate * (1 - here) / (1 - now.product);
    n.rate_m = now.learning_rate * next / (1 - now.product * next);
    n.scale = 1 / std::sqrt(means.correction2);
    n.eps = o.eps;
    put(n, to);
  }
};

}  // namespace detail

NAdam::NAdam(ParameterList parameters, NAdamOptions options)
    : Optimizer(detail::core_of<NAdam>(std::move(parameters), std::move(options))) {}
NAdam::NAdam(Groups groups) : Optimizer(detail::core_of<NAdam>(std::move(groups))) {}

}  // namespace tapegrad::optim
