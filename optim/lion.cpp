#include "optim/lion.h"

#include "optim/core.h"

namespace tapegrad::optim {
namespace detail {

template <>
struct Rule<Lion> {
  static const Op* op(const LionOptions&) { return &ops::step_op(ops::Step::lion); }
  static void numbers(const LionOptions& o, Now& now, double* to) {
    auto n = started<ops::LionNumbers>(o);
    n.decay = 0;
    n.shrink = 1 - now.learning_rate * o.weight_decay;
    n.rate = now.learning_rate;
    n.beta1 = now.beta1(o.betas);
    n.gain1 = 1 - n.beta1;
    n.beta2 = o.betas.second;
    n.gain2 = 1 - n.beta2;
    put(n, to);
  }
};

}  // namespace detail

Lion::Lion(ParameterList parameters, LionOptions options)
    : Optimizer(detail::core_of<Lion>(std::move(parameters), std::move(options))) {}
Lion::Lion(Groups groups) : Optimizer(detail::core_of<Lion>(std::move(groups))) {}

}  // namespace tapegrad::optim
