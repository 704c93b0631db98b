#include "autograd/ops/indexing.h"

#include <fmt/format.h>

#include <algorithm>

#include "autograd/kernels/copy.h"
#include "autograd/text.h"

namespace tapegrad::ops {
namespace {

// A 0-d tensor counts as one of size 1.
Shape at_least_1d(const Shape& x) { return x.rank() == 0 ? Shape{1} : x; }

int position(const Call& call, const Shape& x, int64_t dim) { return call.dim(dim, at_least_1d(x).rank()); }

}  // namespace

void require_index(const Call& call, int i) {
  if (call.dtype(i) == DType::int64) return;
  call.dtype_error(fmt::format("expected {} to be int64, given {}; use cast", operand_name(call.op(), i),
                               name(call.dtype(i))));
}

void check_inside(const Call& call, int i, int64_t place, int64_t size) {
  if (place < 0) return;
  call.index_error(
      fmt::format("index {} at position {} is outside [0, {})", call.data<int64_t>(i)[place], place, size));
}

void check_all_inside(const Call& call, int i, int64_t size) {
  const auto* index = call.data<int64_t>(i);
  for (int64_t k = 0; k < call.numel(i); ++k) {
    if (index[k] < 0 || index[k] >= size) check_inside(call, i, k, size);
  }
}

Shape sliced_shape(const Call& call, const Shape& x, int64_t dim, int index) {
  if (call.rank(index) > 1) call.shape_error("expected index of at most one dimension");
  const int at = position(call, x, dim);
  Dims y = x;
  if (x.rank() > 0) {
    y[at] = call.numel(index);
  } else if (call.numel(index) != 1) {
    call.shape_error(fmt::format("expected one entry to index a 0-d tensor, given {}", call.numel(index)));
  }
  return checked_shape(call, y);
}

kernels::Slices slices(const Call& call, const Shape& x, int64_t dim, int index) {
  const Along a = along(x, position(call, x, dim));
  return {a.outer, a.n, a.inner, call.numel(index)};
}

void check_elements(const Call& call, const Shape& x, int64_t dim, int index) {
  const int at = position(call, x, dim);
  const Shape given = call.shape(index);
  if (given.rank() != x.rank()) {
    call.shape_error(fmt::format("expected index of x's rank {}, given {}", x.rank(), given.rank()));
  }
  for (int d = 0; d < x.rank(); ++d) {
    if (d != at && given[d] > x[d]) {
      call.shape_error(
          fmt::format("index is larger than x along dimension {}: {} and {}", d, given[d], x[d]));
    }
  }
}

kernels::Elements elements(const Call& call, const Shape& x, int64_t dim, int index, const Shape& src) {
  const Shape sizes = at_least_1d(call.shape(index)), shape = at_least_1d(x);
  const Dims strides = dense_strides(shape), src_strides = dense_strides(at_least_1d(src));
  kernels::Elements e{};
  e.rank = shape.rank();
  e.dim = position(call, x, dim);
  e.n = shape[e.dim];
  std::copy(sizes.begin(), sizes.end(), e.sizes);
  std::copy(strides.begin(), strides.end(), e.strides);
  std::copy(src_strides.begin(), src_strides.end(), e.src);
  return e;
}

void start_with(Call& call, int i) {
  const int64_t sizes[] = {call.numel(i)}, dense[] = {1};
  kernels::copy_strided(element_size(call.dtype(i)), call.data<void>(i), dense, sizes, call.out_data());
}

void start_with_zeros(Call& call) {
  const int64_t zero = 0;
  kernels::fill(element_size(call.out().dtype), call.out_data(), call.out().numel, &zero);
}

Cost traffic(const Call& call) {
  double bytes = static_cast<double>(call.out().bytes());
  for (int i = 0; i < call.inputs(); ++i) bytes += static_cast<double>(call.in(i).bytes());
  return {0, bytes};
}

}  // namespace tapegrad::ops
