// References of ops with an index or a mask.

#include "tests/support/reference_parts.h"

namespace tapegrad::testing {
namespace {

// Pairs (position in the small one, position in x) of index_select and index_add, of gather and scatter_add.
template <class F>
void for_indexed(const Shape& x, const Array& index, const Shape& small, int64_t dim_option, bool elementwise,
                 const F& f) {
  const auto dim = static_cast<size_t>(from_end(dim_option, x.rank()));
  for (int64_t i = 0; i < small.numel(); ++i) {
    Index at = unravel(i, small);
    if (x.rank() > 0) {
      const double to = index[elementwise ? static_cast<size_t>(i) : static_cast<size_t>(at[dim])];
      at[dim] = static_cast<int64_t>(to);
    }
    f(static_cast<size_t>(i), ravel(at, x));
  }
}

Out take(In in, Options o, bool elementwise) {
  Index sizes(in[0].shape.begin(), in[0].shape.end());
  if (!elementwise && !sizes.empty())
    sizes[static_cast<size_t>(from_end(number(o, "dim"), in[0].shape.rank()))] = in[1].shape.numel();
  Array y = array_like(elementwise ? in[1].shape : shape_from(sizes));
  for_indexed(in[0].shape, in[1], y.shape, number(o, "dim"), elementwise,
              [&](size_t small, size_t whole) { y[small] = in[0][whole]; });
  return {y};
}

// y with src added, or written, where the index says. src may be larger than an index of single elements.
Out put(Array y, const Array& index, const Array& src, Options o, bool elementwise, bool add = true) {
  const Shape small = elementwise ? index.shape : src.shape;
  for_indexed(y.shape, index, small, number(o, "dim"), elementwise, [&](size_t k, size_t whole) {
    const double v = src[ravel(unravel(static_cast<int64_t>(k), small), src.shape)];
    y[whole] = add ? y[whole] + v : v;
  });
  return {y};
}

Array zeros_of(Options o) { return array_like(shape_from(list(o, "shape"))); }

int64_t padding_row(Options o, int64_t rows) {
  return set(o, "padding_idx") ? (number(o, "padding_idx") + rows) % rows : -1;
}

Out embedding(In in, Options) {
  Index sizes(in[0].shape.begin(), in[0].shape.end());
  const int64_t d = in[1].shape[1];
  sizes.push_back(d);
  Array y = array_like(shape_from(sizes));
  for (size_t i = 0; i < y.v.size(); ++i) {
    const auto k = static_cast<int64_t>(i);
    y[i] = in[1][static_cast<size_t>(static_cast<int64_t>(in[0][static_cast<size_t>(k / d)]) * d + k % d)];
  }
  return {y};
}

Out embedding_backward(In in, Options o) {
  const int64_t rows = number(o, "rows"), d = in[0].shape[in[0].shape.rank() - 1];
  Array y = array_like({rows, d});
  for (size_t i = 0; i < in[0].v.size(); ++i) {
    const auto k = static_cast<int64_t>(i);
    const auto row = static_cast<int64_t>(in[1][static_cast<size_t>(k / d)]);
    if (row != padding_row(o, rows)) y[static_cast<size_t>(row * d + k % d)] += in[0][i];
  }
  return {y};
}

Out masked_fill(In in, Options o) {
  Shape shape;
  int axis = 0;
  broadcast(in[0].shape, in[1].shape, shape, axis);
  Array y = array_like(shape);
  for (size_t i = 0; i < y.v.size(); ++i) {
    const Index at = unravel(static_cast<int64_t>(i), shape);
    y[i] = broadcast_at(in[1], at) != 0 ? o.find("value")->second[0] : broadcast_at(in[0], at);
  }
  return {y};
}

}  // namespace

const std::map<std::string_view, Reference>& index_references() {
  static const std::map<std::string_view, Reference> table = {
      {"index_select", [](In in, Options o) { return take(in, o, false); }},
      {"gather", [](In in, Options o) { return take(in, o, true); }},
      {"index_add", [](In in, Options o) { return put(in[0], in[1], in[2], o, false); }},
      {"scatter_add", [](In in, Options o) { return put(in[0], in[1], in[2], o, true); }},
      {"scatter", [](In in, Options o) { return put(in[0], in[1], in[2], o, true, false); }},
      {"index_select_backward", [](In in, Options o) { return put(zeros_of(o), in[1], in[0], o, false); }},
      {"gather_backward", [](In in, Options o) { return put(zeros_of(o), in[1], in[0], o, true); }},
      {"embedding", embedding},
      {"embedding_backward", embedding_backward},
      {"masked_fill", masked_fill},
  };
  return table;
}

}  // namespace tapegrad::testing
