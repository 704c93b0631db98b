#include "optim/rmsprop.h"

#include "optim/core.h"

namespace tapegrad::optim {
namespace detail {

template <>
struct Rule<RMSprop> {
  static const Op* op(const RMSpropOptions& o) {
    using ops::Step;
    const bool momentum = o.momentum.number() == nullptr || *o.momentum.number() != 0;
    if (o.centered) return &ops::step_op(momentum ? Step::rmsprop_centered_momentum : Step::rmsprop_centered);
    return &ops::step_op(momentum ? Step::rmsprop_momentum : Step::rmsprop);
  }
  static void numbers(const RMSpropOptions& o, Now& now, double* to) {
    auto n = started<ops::RmspropNumbers>(o);
    n.rate = now.learning_rate;
    n.alpha = o.alpha;
    n.gain = 1 - o.alpha;
    n.eps = o.eps;
    n.momentum = now("momentum", o.momentum, Range::not_negative);
    put(n, to);
  }
};

}  // namespace detail

RMSprop::RMSprop(ParameterList parameters, RMSpropOptions options)
    : Optimizer(detail::core_of<RMSprop>(std::move(parameters), std::move(options))) {}
RMSprop::RMSprop(Groups groups) : Optimizer(detail::core_of<RMSprop>(std::move(groups))) {}

}  // namespace tapegrad::optim
