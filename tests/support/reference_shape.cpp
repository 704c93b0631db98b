// References of ops that give elements another place, each as a rule from an index of the result to one of x.

#include "tests/support/reference_parts.h"

namespace tapegrad::testing {
namespace {

// The array of that shape whose element at each index is x at the index that `place` gives.
template <class F>
Array gathered(const Array& x, const Index& sizes, const F& place) {
  Array y = array_like(shape_from(sizes));
  for (size_t i = 0; i < y.v.size(); ++i)
    y[i] = x[ravel(place(unravel(static_cast<int64_t>(i), y.shape)), x.shape)];
  return y;
}

Index sizes_of(const Array& x) { return {x.shape.begin(), x.shape.end()}; }

size_t dim_of(Options o, std::string_view name, int rank) {
  return static_cast<size_t>(from_end(number(o, name), rank));
}

int64_t modulo(int64_t a, int64_t n) { return (a % n + n) % n; }

Out squeeze(In in, Options o) {
  Index sizes;
  for (int d = 0; d < in[0].shape.rank(); ++d) {
    const bool meant = !set(o, "dim") || dim_of(o, "dim", in[0].shape.rank()) == static_cast<size_t>(d);
    if (!meant || in[0].shape[d] != 1) sizes.push_back(in[0].shape[d]);
  }
  return {{shape_from(sizes), in[0].v}};
}

Out unsqueeze(In in, Options o) {
  Index sizes = sizes_of(in[0]);
  sizes.insert(sizes.begin() + from_end(number(o, "dim"), in[0].shape.rank() + 1), 1);
  return {{shape_from(sizes), in[0].v}};
}

Out flatten(In in, Options o) {
  Index sizes = sizes_of(in[0]);
  if (sizes.empty()) sizes.push_back(1);
  const int rank = static_cast<int>(sizes.size());
  const size_t start = dim_of(o, "start_dim", rank), end = dim_of(o, "end_dim", rank);
  for (size_t d = start; d < end; ++d) {
    sizes[start] *= sizes[start + 1];
    sizes.erase(sizes.begin() + static_cast<int64_t>(start) + 1);
  }
  return {{shape_from(sizes), in[0].v}};
}

Out transpose(In in, Options o) {
  Index sizes = sizes_of(in[0]);
  if (sizes.empty()) return {in[0]};
  const size_t a = dim_of(o, "dim0", in[0].shape.rank()), b = dim_of(o, "dim1", in[0].shape.rank());
  std::swap(sizes[a], sizes[b]);
  return {gathered(in[0], sizes, [&](Index at) {
    std::swap(at[a], at[b]);
    return at;
  })};
}

Out flip(In in, Options o) {
  return {gathered(in[0], sizes_of(in[0]), [&](Index at) {
    for (int64_t d : list(o, "dims")) {
      if (at.empty()) break;
      const int dim = static_cast<int>(from_end(d, in[0].shape.rank()));
      at[static_cast<size_t>(dim)] = in[0].shape[dim] - 1 - at[static_cast<size_t>(dim)];
    }
    return at;
  })};
}

Out roll(In in, Options o) {
  const Index shifts = list(o, "shifts");
  if (!set(o, "dims") || in[0].shape.rank() == 0) {
    Array y = in[0];
    const auto n = static_cast<int64_t>(y.v.size());
    for (int64_t i = 0; i < n; ++i)
      y[static_cast<size_t>(i)] = in[0][static_cast<size_t>(modulo(i - shifts[0], n))];
    return {y};
  }
  const Index dims = list(o, "dims");
  return {gathered(in[0], sizes_of(in[0]), [&](Index at) {
    for (size_t k = 0; k < dims.size(); ++k) {
      const int64_t d = from_end(dims[k], in[0].shape.rank());
      int64_t& i = at[static_cast<size_t>(d)];
      i = modulo(i - shifts[k], in[0].shape[static_cast<int>(d)]);
    }
    return at;
  })};
}

Out repeat_interleave(In in, Options o) {
  const int64_t repeats = number(o, "repeats");
  Array x = in[0];
  if (!set(o, "dim") || x.shape.rank() == 0) x.shape = {x.shape.numel()};
  const size_t dim = set(o, "dim") ? dim_of(o, "dim", x.shape.rank()) : 0;
  Index sizes = sizes_of(x);
  sizes[dim] *= repeats;
  return {gathered(x, sizes, [&](Index at) {
    at[dim] /= repeats;
    return at;
  })};
}

Out split(In in, Options o) {
  const size_t dim = dim_of(o, "dim", in[0].shape.rank());
  const int64_t size = number(o, "split_size"), n = in[0].shape[static_cast<int>(dim)];
  Out pieces;
  for (int64_t start = 0; start < n || pieces.empty(); start += size) {
    Index sizes = sizes_of(in[0]);
    sizes[dim] = std::min(size, n - start);
    pieces.push_back(gathered(in[0], sizes, [&](Index at) {
      at[dim] += start;
      return at;
    }));
  }
  return pieces;
}

Out stack(In in, Options o) {
  Index sizes = sizes_of(in[0]);
  const auto dim = from_end(number(o, "dim"), in[0].shape.rank() + 1);
  sizes.insert(sizes.begin() + dim, static_cast<int64_t>(in.size()));
  Array y = array_like(shape_from(sizes));
  for (size_t i = 0; i < y.v.size(); ++i) {
    Index at = unravel(static_cast<int64_t>(i), y.shape);
    const Array& x = in[static_cast<size_t>(at[static_cast<size_t>(dim)])];
    at.erase(at.begin() + dim);
    y[i] = x[ravel(at, x.shape)];
  }
  return {y};
}

Out pad(In in, Options o) {
  const Index margins = list(o, "pad");
  Index sizes = sizes_of(in[0]), before(sizes.size(), 0);
  for (size_t k = 0; 2 * k < margins.size(); ++k) {
    const size_t d = sizes.size() - 1 - k;
    before[d] = margins[2 * k];
    sizes[d] += margins[2 * k] + margins[2 * k + 1];
  }
  Array y = array_like(shape_from(sizes), o.find("value")->second[0]);
  for (size_t i = 0; i < y.v.size(); ++i) {
    Index at = unravel(static_cast<int64_t>(i), y.shape);
    bool inside = true;
    for (size_t d = 0; d < at.size(); ++d) {
      at[d] -= before[d];
      inside &= at[d] >= 0 && at[d] < in[0].shape[static_cast<int>(d)];
    }
    if (inside) y[i] = in[0][ravel(at, in[0].shape)];
  }
  return {y};
}

Out triangle(In in, Options o, bool lower) {
  Array y = in[0];
  for (size_t i = 0; i < y.v.size(); ++i) {
    const Index at = unravel(static_cast<int64_t>(i), y.shape);
    const int64_t distance = at[at.size() - 1] - at[at.size() - 2];
    if (lower ? distance > o.find("diagonal")->second[0] : distance < o.find("diagonal")->second[0]) y[i] = 0;
  }
  return {y};
}

// Pairs (place on the diagonal, place in x).
template <class F>
Index for_diagonal(const Shape& x, Options o, const F& f) {
  const size_t a = dim_of(o, "dim1", x.rank()), b = dim_of(o, "dim2", x.rank());
  const double offset = o.find("offset")->second[0];
  Index sizes;
  for (size_t d = 0; d < static_cast<size_t>(x.rank()); ++d) {
    if (d != a && d != b) sizes.push_back(x[static_cast<int>(d)]);
  }
  int64_t length = 0;
  for (int64_t i = 0; i < x[static_cast<int>(a)]; ++i) {
    const double j = static_cast<double>(i) + offset;
    length += j >= 0 && j < static_cast<double>(x[static_cast<int>(b)]) ? 1 : 0;
  }
  sizes.push_back(length);
  const Shape line = shape_from(sizes);
  for (int64_t i = 0; i < line.numel(); ++i) {
    const Index on = unravel(i, line);
    Index at;
    for (size_t d = 0, k = 0; d < static_cast<size_t>(x.rank()); ++d) {
      if (d == a) at.push_back(on.back() + (offset < 0 ? static_cast<int64_t>(-offset) : 0));
      else if (d == b) at.push_back(on.back() + (offset > 0 ? static_cast<int64_t>(offset) : 0));
      else at.push_back(on[k++]);
    }
    f(static_cast<size_t>(i), ravel(at, x));
  }
  return sizes;
}

Out diagonal(In in, Options o) {
  std::vector<double> v;
  const Index sizes = for_diagonal(in[0].shape, o, [&](size_t, size_t whole) { v.push_back(in[0][whole]); });
  return {{shape_from(sizes), v}};
}

Out diagonal_backward(In in, Options o) {
  Array y = array_like(shape_from(list(o, "shape")));
  for_diagonal(y.shape, o, [&](size_t on, size_t whole) { y[whole] = in[0][on]; });
  return {y};
}

}  // namespace

const std::map<std::string_view, Reference>& shape_references() {
  static const std::map<std::string_view, Reference> table = {
      {"squeeze", squeeze},
      {"unsqueeze", unsqueeze},
      {"flatten", flatten},
      {"transpose", transpose},
      {"flip", flip},
      {"roll", roll},
      {"repeat_interleave", repeat_interleave},
      {"split", split},
      {"stack", stack},
      {"pad", pad},
      {"tril", [](In in, Options o) { return triangle(in, o, true); }},
      {"triu", [](In in, Options o) { return triangle(in, o, false); }},
      {"diagonal", diagonal},
      {"diagonal_backward", diagonal_backward},
  };
  return table;
}

}  // namespace tapegrad::testing
