#include "autograd/ops/class_targets.h"

#include <fmt/format.h>

namespace tapegrad::ops {

ClassDims class_dims(const Shape& logits) {
  const int dim = logits.rank() == 1 ? 0 : 1;
  ClassDims dims{.dim = dim, .classes = logits[dim], .rows = logits};
  dims.rows.erase(dim);
  if (dim == 1) dims.outer = logits[0];
  for (int d = dim + 1; d < logits.rank(); ++d) dims.inner *= logits[d];
  return dims;
}

ClassDims class_dims(const Call& call, int logits) {
  if (call.rank(logits) == 0) {
    call.shape_error(fmt::format("expected {} [classes], [n, classes] or [n, classes, …]",
                                 call.op().operands[static_cast<size_t>(logits)]));
  }
  return class_dims(call.shape(logits));
}

void check_class_indices(const Call& call, const Shape& rows, int target, std::string_view expected) {
  if (call.dtype(target) != DType::int64) {
    call.dtype_error(fmt::format("expected target to be {}; given {}", expected, name(call.dtype(target))));
  }
  if (!(call.shape(target) == rows)) {
    call.shape_error(fmt::format("expected one target for each row: [{}]", fmt::join(rows, ", ")));
  }
}

void check_class_weight(const Call& call, int64_t classes, int logits, int weight) {
  if (call.inputs() <= weight) return;
  call.require_same_dtype(logits, weight);
  if (call.rank(weight) != 1 || call.numel(weight) != classes) {
    call.shape_error(fmt::format("expected a weight for each class: [{}]", classes));
  }
}

double target_weights(const Call& call, int target, int weight, int64_t ignore_index, int64_t classes) {
  const auto* t = call.data<int64_t>(target);
  const int64_t n = call.numel(target);
  int64_t kept = 0;
  double sum = 0;
  for (int64_t r = 0; r < n; ++r) {
    if (t[r] == ignore_index) continue;
    if (t[r] < 0 || t[r] >= classes)
      call.index_error(fmt::format("target {} of row {} is outside [0, {})", t[r], r, classes));
    ++kept;
    if (weight < 0) continue;
    sum += call.dtype(weight) == DType::float32 ? static_cast<double>(call.data<float>(weight)[t[r]])
                                                : call.data<double>(weight)[t[r]];
  }
  return weight < 0 ? static_cast<double>(kept) : sum;
}

}  // namespace tapegrad::ops
