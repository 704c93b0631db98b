#include "autograd/kernels/reduce_plan.h"

namespace tapegrad::kernels {

Plan::Plan(const Reduction& shape) {
  int k = 0;
  int r = 0;
  while (k < shape.rank_kept || r < shape.rank_reduced) {
    const bool take_kept =
        r == shape.rank_reduced || (k < shape.rank_kept && shape.kept_stride[k] > shape.reduced_stride[r]) ||
        (k < shape.rank_kept && shape.kept_stride[k] == shape.reduced_stride[r] && shape.kept[k] == 1);
    const Dim dim = take_kept ? Dim{shape.kept[k], shape.kept_stride[k], false}
                              : Dim{shape.reduced[r], shape.reduced_stride[r], true};
    ++(take_kept ? k : r);
    if (dim.size == 1) continue;
    if (rank > 0 && dims[rank - 1].reduced == dim.reduced) {
      dims[rank - 1].size *= dim.size;
      dims[rank - 1].stride = dim.stride;
    } else {
      dims[rank++] = dim;
    }
  }
}

void Combination::push(int64_t of_size, int64_t of_stride) {
  size[rank] = of_size;
  stride[rank++] = of_stride;
  count *= of_size;
}

Arrangement::Arrangement(const Plan& plan)
    : innermost_reduced(plan.rank == 0 || plan.dims[plan.rank - 1].reduced) {
  int rows_at = -1;
  const int last = plan.rank - 1;
  if (last >= 0) inner = plan.dims[last].size;
  if (!innermost_reduced && last > 0) {
    rows_at = last - 1;
    rows = plan.dims[rows_at].size;
    row_stride = plan.dims[rows_at].stride;
  }
  for (int d = 0; d < last; ++d) {
    if (d == rows_at) continue;
    (plan.dims[d].reduced ? reduced : kept).push(plan.dims[d].size, plan.dims[d].stride);
  }
}

}  // namespace tapegrad::kernels
