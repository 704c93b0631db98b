#include "optim/adagrad.h"

#include "optim/core.h"

namespace tapegrad::optim {
namespace detail {

template <>
struct Rule<Adagrad> {
  static const Op* op(const AdagradOptions&) { return &ops::step_op(ops::Step::adagrad); }
  static double initial(const AdagradOptions& o) { return o.initial_accumulator_value; }
  static void numbers(const AdagradOptions& o, Now& now, double* to) {
    auto n = started<ops::AdagradNumbers>(o);
    n.rate = now.learning_rate / (1 + static_cast<double>(now.step - 1) * o.lr_decay);
    n.eps = o.eps;
    put(n, to);
  }
};

}  // namespace detail

Adagrad::Adagrad(ParameterList parameters, AdagradOptions options)
    : Optimizer(detail::core_of<Adagrad>(std::move(parameters), std::move(options))) {}
Adagrad::Adagrad(Groups groups) : Optimizer(detail::core_of<Adagrad>(std::move(groups))) {}

}  // namespace tapegrad::optim
