// References of shape ops.

#include "tests/support/reference_parts.h"

namespace tapegrad::testing {
namespace {

Out reshape(In in, Options o) {
  Index sizes = list(o, "shape");
  int64_t known = 1;
  for (int64_t s : sizes) known *= s == -1 ? 1 : s;
  for (int64_t& s : sizes) s = s == -1 ? in[0].shape.numel() / known : s;
  return {{shape_from(sizes), in[0].v}};
}

Out permute(In in, Options o) {
  const int rank = in[0].shape.rank();
  Index dims = list(o, "dims"), sizes;
  for (int64_t& d : dims) sizes.push_back(in[0].shape[static_cast<int>(d = from_end(d, rank))]);
  Array y = array_like(shape_from(sizes));
  for (size_t i = 0; i < y.v.size(); ++i) {
    const Index index = unravel(static_cast<int64_t>(i), y.shape);
    Index from(index.size());
    for (size_t d = 0; d < dims.size(); ++d) from[static_cast<size_t>(dims[d])] = index[d];
    y[i] = in[0][ravel(from, in[0].shape)];
  }
  return {y};
}

Out expand(In in, Options o) {
  Array y = array_like(shape_from(list(o, "shape")));
  for (size_t i = 0; i < y.v.size(); ++i)
    y[i] = broadcast_at(in[0], unravel(static_cast<int64_t>(i), y.shape));
  return {y};
}

Out sum_to_size(In in, Options o) {
  Array y = array_like(shape_from(list(o, "size")));
  for (size_t i = 0; i < in[0].v.size(); ++i) {
    const Index index = unravel(static_cast<int64_t>(i), in[0].shape);
    Index to(index.end() - y.shape.rank(), index.end());
    for (size_t d = 0; d < to.size(); ++d) {
      if (y.shape[static_cast<int>(d)] == 1) to[d] = 0;
    }
    y[ravel(to, y.shape)] += in[0][i];
  }
  return {y};
}

// The positions that Python's range(*slice(start, end, step).indices(size)) gives.
Index positions(Options o, int64_t size) {
  const int64_t step = number(o, "step");
  auto bound = [&](std::string_view name, int64_t otherwise) {
    if (!set(o, name)) return otherwise;
    int64_t at = number(o, name);
    if (at < 0) at += size;
    if (at < 0) at = step < 0 ? -1 : 0;
    if (at >= size) at = step < 0 ? size - 1 : size;
    return at;
  };
  const int64_t start = bound("start", step < 0 ? size - 1 : 0), end = bound("end", step < 0 ? -1 : size);
  Index result;
  for (int64_t i = start; step > 0 ? i < end : i > end; i += step) result.push_back(i);
  return result;
}

// y and the whole, related by whole[…, positions[j], …] ~ y[…, j, …].
template <class F>
void for_sliced(Options o, const Shape& whole, Array& y_shape_holder, const F& f) {
  const auto dim = static_cast<size_t>(from_end(number(o, "dim"), whole.rank()));
  const Index at = positions(o, whole[static_cast<int>(dim)]);
  Index sizes(whole.begin(), whole.end());
  sizes[dim] = static_cast<int64_t>(at.size());
  if (y_shape_holder.v.empty()) y_shape_holder = array_like(shape_from(sizes));
  const Shape part = shape_from(sizes);
  for (int64_t i = 0; i < part.numel(); ++i) {
    Index index = unravel(i, part);
    index[dim] = at[static_cast<size_t>(index[dim])];
    f(static_cast<size_t>(i), ravel(index, whole));
  }
}

Out slice(In in, Options o) {
  Array y;
  for_sliced(o, in[0].shape, y, [&](size_t part, size_t whole) { y[part] = in[0][whole]; });
  return {y};
}

Out slice_backward(In in, Options o) {
  Array y = array_like(shape_from(list(o, "shape")));
  for_sliced(o, y.shape, y, [&](size_t part, size_t whole) { y[whole] = in[0][part]; });
  return {y};
}

Out cat(In in, Options o) {
  const auto dim = static_cast<size_t>(from_end(number(o, "dim"), in[0].shape.rank()));
  Index sizes(in[0].shape.begin(), in[0].shape.end());
  sizes[dim] = 0;
  for (const Array& x : in) sizes[dim] += x.shape[static_cast<int>(dim)];
  Array y = array_like(shape_from(sizes));
  int64_t offset = 0;
  for (const Array& x : in) {
    for (size_t i = 0; i < x.v.size(); ++i) {
      Index index = unravel(static_cast<int64_t>(i), x.shape);
      index[dim] += offset;
      y[ravel(index, y.shape)] = x[i];
    }
    offset += x.shape[static_cast<int>(dim)];
  }
  return {y};
}

}  // namespace

const std::map<std::string_view, Reference>& layout_references() {
  static const std::map<std::string_view, Reference> table = {
      {"sum_to_size", sum_to_size},
      {"reshape", reshape},
      {"permute", permute},
      {"expand", expand},
      {"slice", slice},
      {"slice_backward", slice_backward},
      {"cat", cat},
  };
  return table;
}

}  // namespace tapegrad::testing
