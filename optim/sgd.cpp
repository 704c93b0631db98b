#include "optim/sgd.h"

#include "optim/core.h"

namespace tapegrad::optim {
namespace detail {

template <>
struct Rule<SGD> {
  static bool has_momentum(const SGDOptions& o) {
    return o.momentum.number() == nullptr || *o.momentum.number() != 0;
  }
  static void check(const SGDOptions& o) {
    if (!o.nesterov || (has_momentum(o) && o.dampening == 0)) return;
    const double* const momentum = o.momentum.number();
    raise<ArgumentError>(
        "[SGD] nesterov needs momentum above 0 and dampening 0, given momentum {} and dampening {}",
        momentum == nullptr ? "by a schedule" : fmt::format("{}", *momentum), o.dampening);
  }
  // What is only w − eta·g is a mul_add, which a Program runs together with others and may fold into a
  // product.
  static const Op* op(const SGDOptions& o) {
    if (has_momentum(o)) return &ops::step_op(ops::Step::sgd_momentum);
    return o.weight_decay != 0 || o.maximize ? &ops::step_op(ops::Step::sgd) : nullptr;
  }
  static void numbers(const SGDOptions& o, Now& now, double* to) {
    auto n = started<ops::SgdNumbers>(o);
    n.rate = now.learning_rate;
    n.momentum = now("momentum", o.momentum, Range::not_negative);
    n.gain = now.step == 1 ? 1 : 1 - o.dampening;
    n.nesterov = o.nesterov;
    put(n, to);
  }
};

}  // namespace detail

SGD::SGD(ParameterList parameters, SGDOptions options)
    : Optimizer(detail::core_of<SGD>(std::move(parameters), std::move(options))) {}
SGD::SGD(Groups groups) : Optimizer(detail::core_of<SGD>(std::move(groups))) {}

}  // namespace tapegrad::optim
