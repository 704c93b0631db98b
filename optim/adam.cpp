#include "optim/adam.h"

#include <cmath>
#include <type_traits>

#include "optim/core.h"
#include "optim/means.h"

namespace tapegrad::optim {
namespace detail {

// What Adam and its relatives have in common; t of the paper is the parameter's step.
template <class T>
struct AdamRule {
  using Options = typename T::Options;
  static const Op* op(const Options& o) {
    return &ops::step_op(o.amsgrad ? ops::Step::adam_amsgrad : ops::Step::adam);
  }
  static void numbers(const Options& o, Now& now, double* to) {
    auto n = started<ops::AdamNumbers>(o);
    if constexpr (std::is_same_v<T, AdamW>) {
      n.decay = 0;
      n.shrink = 1 - now.learning_rate * o.weight_decay;
    }
    const Means means(o.betas, now);
    means.put_into(n);
    n.rate = now.learning_rate / means.correction1;
    n.scale = 1 / std::sqrt(means.correction2);
    n.eps = o.eps;
    put(n, to);
  }
};
template <>
struct Rule<Adam> : AdamRule<Adam> {};
template <>
struct Rule<AdamW> : AdamRule<AdamW> {};

}  // namespace detail

Adam::Adam(ParameterList parameters, AdamOptions options)
    : Optimizer(detail::core_of<Adam>(std::move(parameters), std::move(options))) {}
Adam::Adam(Groups groups) : Optimizer(detail::core_of<Adam>(std::move(groups))) {}

AdamW::AdamW(ParameterList parameters, AdamWOptions options)
    : Optimizer(detail::core_of<AdamW>(std::move(parameters), std::move(options))) {}
AdamW::AdamW(Groups groups) : Optimizer(detail::core_of<AdamW>(std::move(groups))) {}

}  // namespace tapegrad::optim
