#include "optim/adadelta.h"

#include "optim/core.h"

namespace tapegrad::optim {
namespace detail {

template <>
struct Rule<Adadelta> {
  static const Op* op(const AdadeltaOptions&) { return &ops::step_op(ops::Step::adadelta); }
  static void numbers(const AdadeltaOptions& o, Now& now, double* to) {
    auto n = started<ops::AdadeltaNumbers>(o);
    n.rate = now.learning_rate;
    n.rho = o.rho;
    n.gain = 1 - o.rho;
    n.eps = o.eps;
    put(n, to);
  }
};

}  // namespace detail

Adadelta::Adadelta(ParameterList parameters, AdadeltaOptions options)
    : Optimizer(detail::core_of<Adadelta>(std::move(parameters), std::move(options))) {}
Adadelta::Adadelta(Groups groups) : Optimizer(detail::core_of<Adadelta>(std::move(groups))) {}

}  // namespace tapegrad::optim
