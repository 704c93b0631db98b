#include "optim/radam.h"

#include <cmath>

#include "optim/core.h"
#include "optim/means.h"

namespace tapegrad::optim {
namespace detail {

template <>
struct Rule<RAdam> {
  static const Op* op(const RAdamOptions&) { return &ops::step_op(ops::Step::radam); }
  static void numbers(const RAdamOptions& o, Now& now, double* to) {
    auto n = started<ops::RadamNumbers>(o);
    const Means means(o.betas, now);
    means.put_into(n);
    const double rho = 2 / (1 - means.beta2) - 1, t = static_cast<double>(now.step);
    const double rho_t = rho - 2 * t * (1 - means.correction2) / means.correction2;
    n.rate = now.learning_rate / means.correction1;
    n.eps = o.eps;
    n.adaptive = rho_t > 5;
    if (rho_t > 5) {
      n.rate *= std::sqrt(means.correction2) *
                std::sqrt((rho_t - 4) * (rho_t - 2) * rho / ((rho - 4) * (rho - 2) * rho_t));
    }
    put(n, to);
  }
};

}  // namespace detail

RAdam::RAdam(ParameterList parameters, RAdamOptions options)
    : Optimizer(detail::core_of<RAdam>(std::move(parameters), std::move(options))) {}
RAdam::RAdam(Groups groups) : Optimizer(detail::core_of<RAdam>(std::move(groups))) {}

}  // namespace tapegrad::optim
