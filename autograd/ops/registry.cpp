#include <algorithm>
#include <vector>

#include "autograd/ops/groups.h"

namespace tapegrad {

std::span<const Op* const> all_ops() {
  static const std::vector<const Op*>* const ops = [] {
    auto* list = new std::vector<const Op*>;
    for (auto group : {ops::pointwise(),
                       ops::choice(),
                       ops::pointwise_backward(),
                       ops::activation(),
                       ops::rounding(),
                       ops::logic(),
                       ops::trigonometric(),
                       ops::trigonometric_backward(),
                       ops::exponential(),
                       ops::hyperbolic(),
                       ops::error_function(),
                       ops::reduce(),
                       ops::extremes(),
                       ops::product(),
                       ops::statistics(),
                       ops::vector_norm(),
                       ops::softmax(),
                       ops::scan(),
                       ops::sort(),
                       ops::matrix_product(),
                       ops::linear_layer(),
                       ops::products(),
                       ops::summation(),
                       ops::view(),
                       ops::order(),
                       ops::repeat(),
                       ops::parts(),
                       ops::join(),
                       ops::padding(),
                       ops::diagonals(),
                       ops::slices_by_index(),
                       ops::elements_by_index(),
                       ops::rows_by_index(),
                       ops::mask(),
                       ops::regression_losses(),
                       ops::binary_losses(),
                       ops::divergences(),
                       ops::class_losses(),
                       ops::nll(),
                       ops::state()}) {
      list->insert(list->end(), group.begin(), group.end());
    }
    return list;
  }();
  return *ops;
}

const Op* find_op(std::string_view name, std::span<const Op* const> ops) {
  auto found = std::find_if(ops.begin(), ops.end(), [&](const Op* op) { return op->name == name; });
  return found != ops.end() ? *found : nullptr;
}

}  // namespace tapegrad
