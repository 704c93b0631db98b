// References of reductions, softmax, products, losses and the rest that is not pointwise.

#include <cmath>
#include <limits>

#include "autograd/random.h"
#include "tests/support/reference_parts.h"

namespace tapegrad::testing {
namespace {

// Which dims a reduction runs over.
std::vector<bool> reduced_dims(Options o, int rank) {
  std::vector<bool> reduced(static_cast<size_t>(rank), !set(o, "dim"));
  if (!set(o, "dim")) return reduced;
  for (int64_t d : list(o, "dim")) {
    if (rank > 0) reduced[static_cast<size_t>(from_end(d, rank))] = true;
  }
  return reduced;
}

// f of the elements that share the kept part of their index.
template <class F>
Array reduce(const Array& x, const std::vector<bool>& reduced, bool keepdim, const F& f) {
  Index kept, sizes;
  for (int d = 0; d < x.shape.rank(); ++d) {
    const bool r = reduced[static_cast<size_t>(d)];
    kept.push_back(r ? 1 : x.shape[d]);
    if (!r || keepdim) sizes.push_back(r ? 1 : x.shape[d]);
  }
  const Shape group_shape = shape_from(kept);
  std::vector<std::vector<double>> groups(static_cast<size_t>(group_shape.numel()));
  for (int64_t i = 0; i < x.shape.numel(); ++i) {
    Index index = unravel(i, x.shape);
    for (size_t d = 0; d < index.size(); ++d) {
      if (reduced[d]) index[d] = 0;
    }
    groups[ravel(index, group_shape)].push_back(x[static_cast<size_t>(i)]);
  }
  Array y = array_like(shape_from(sizes));
  for (size_t i = 0; i < groups.size(); ++i) y[i] = f(groups[i]);
  return y;
}

template <class F>
Out reduction(In in, Options o, const F& f) {
  return {reduce(in[0], reduced_dims(o, in[0].shape.rank()), number(o, "keepdim") != 0, f)};
}

double total(const std::vector<double>& v) {
  long double sum = 0;
  for (double e : v) sum += e;
  return static_cast<double>(sum);
}
// Where the largest is; the first NaN wins.
size_t top(const std::vector<double>& v) {
  size_t best = 0;
  for (size_t i = 1; i < v.size(); ++i) {
    if (!std::isnan(v[best]) && (v[i] > v[best] || std::isnan(v[i]))) best = i;
  }
  return best;
}
double log_sum_exp(const std::vector<double>& v) {
  if (v.empty()) return -std::numeric_limits<double>::infinity();
  const double high = v[top(v)];
  if (std::isinf(high)) return high;
  double sum = 0;
  for (double e : v) sum += std::exp(e - high);
  return high + std::log(sum);
}

std::vector<bool> one_dim(Options o, int rank) {
  std::vector<bool> reduced(static_cast<size_t>(rank), false);
  if (rank > 0) reduced[static_cast<size_t>(from_end(number(o, "dim"), rank))] = true;
  return reduced;
}
Array along(In in, Options o, double (*f)(const std::vector<double>&)) {
  return reduce(in[0], one_dim(o, in[0].shape.rank()), number(o, "keepdim") != 0, f);
}

// Rows along one dim: visits lists of positions.
template <class F>
void for_rows(const Shape& shape, int64_t dim_option, const F& f) {
  if (shape.rank() == 0) return f(std::vector<size_t>{0});
  const auto dim = static_cast<size_t>(from_end(dim_option, shape.rank()));
  for (int64_t i = 0; i < shape.numel(); ++i) {
    Index index = unravel(i, shape);
    if (index[dim] != 0) continue;
    std::vector<size_t> row;
    for (; index[dim] < shape[static_cast<int>(dim)]; ++index[dim]) row.push_back(ravel(index, shape));
    f(row);
  }
}

template <class F>
Out rowwise(In in, Options o, const F& f) {
  Array y = array_like(in[0].shape);
  for_rows(in[0].shape, number(o, "dim"), [&](const std::vector<size_t>& at) {
    std::vector<double> a, b;
    for (size_t i : at) a.push_back(in[0][i]);
    for (size_t i : at) b.push_back(in.size() > 1 ? in[1][i] : 0);
    for (size_t k = 0; k < at.size(); ++k) y[at[k]] = f(a, b, k);
  });
  return {y};
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> products;
  for (size_t i = 0; i < a.size(); ++i) products.push_back(a[i] * b[i]);
  return total(products);
}

Out matmul(In in, Options o) {
  Array a = in[0], b = in[1];
  const bool column = b.shape.rank() == 1, row = a.shape.rank() == 1;
  const bool ta = !row && number(o, "transpose_a") != 0, tb = !column && number(o, "transpose_b") != 0;
  if (row) a.shape = {1, a.shape[0]};
  if (column) b.shape = {b.shape[0], 1};
  const int ra = a.shape.rank(), rb = b.shape.rank();
  const int64_t m = a.shape[ra - (ta ? 1 : 2)], k = a.shape[ra - (ta ? 2 : 1)],
                n = b.shape[rb - (tb ? 2 : 1)];
  Index batch_a(a.shape.begin(), a.shape.end() - 2), batch_b(b.shape.begin(), b.shape.end() - 2);
  Shape batch;
  int axis = 0;
  broadcast(shape_from(batch_a), shape_from(batch_b), batch, axis);
  Index sizes(batch.begin(), batch.end());
  Index full = sizes;
  full.insert(full.end(), {m, n});
  if (!row) sizes.push_back(m);
  if (!column) sizes.push_back(n);
  Array y = array_like(shape_from(sizes));
  for (int64_t i = 0; i < y.shape.numel(); ++i) {
    Index index = unravel(i, shape_from(full));
    std::vector<double> products;
    for (int64_t j = 0; j < k; ++j) {
      Index at_a = index, at_b = index;
      const size_t last = index.size() - 1;
      at_a[last - 1] = ta ? j : index[last - 1];
      at_a[last] = ta ? index[last - 1] : j;
      at_b[last - 1] = tb ? index[last] : j;
      at_b[last] = tb ? j : index[last];
      products.push_back(broadcast_at(a, at_a) * broadcast_at(b, at_b));
    }
    y[static_cast<size_t>(i)] = total(products);
  }
  return {y};
}

Out linear(In in, Options) {
  const Array &x = in[0], &w = in[1];
  Index sizes(x.shape.begin(), x.shape.end());
  const int64_t width = sizes.back();
  sizes.back() = w.shape[0];
  Array y = array_like(shape_from(sizes));
  for (size_t i = 0; i < y.v.size(); ++i) {
    const auto r = static_cast<int64_t>(i) / w.shape[0], c = static_cast<int64_t>(i) % w.shape[0];
    std::vector<double> terms = {in.size() > 2 ? in[2][static_cast<size_t>(c)] : 0};
    for (int64_t j = 0; j < width; ++j) {
      terms.push_back(x[static_cast<size_t>(r * width + j)] * w[static_cast<size_t>(c * width + j)]);
    }
    y[i] = total(terms);
  }
  return {y};
}

Out linear_backward_input(In in, Options) {
  const Array &g = in[0], &w = in[1];
  const int64_t out = w.shape[0], width = w.shape[1];
  Index sizes(g.shape.begin(), g.shape.end());
  sizes.back() = width;
  Array y = array_like(shape_from(sizes));
  for (size_t i = 0; i < y.v.size(); ++i) {
    const auto r = static_cast<int64_t>(i) / width, c = static_cast<int64_t>(i) % width;
    std::vector<double> terms;
    for (int64_t j = 0; j < out; ++j) {
      terms.push_back(g[static_cast<size_t>(r * out + j)] * w[static_cast<size_t>(j * width + c)]);
    }
    y[i] = total(terms);
  }
  return {y};
}

Out linear_backward_weight(In in, Options) {
  const Array &g = in[0], &x = in[1];
  const int64_t out = g.shape[g.shape.rank() - 1], width = x.shape[x.shape.rank() - 1];
  const int64_t rows = g.shape.numel() / out;
  Array y = array_like({out, width});
  for (int64_t i = 0; i < out * width; ++i) {
    std::vector<double> terms;
    for (int64_t r = 0; r < rows; ++r) {
      terms.push_back(g[static_cast<size_t>(r * out + i / width)] *
                      x[static_cast<size_t>(r * width + i % width)]);
    }
    y[static_cast<size_t>(i)] = total(terms);
  }
  return {y};
}

enum { kNone, kMean, kSum };

double joined(const std::vector<double>& v, int64_t reduction) {
  return reduction == kMean ? total(v) / static_cast<double>(v.size()) : total(v);
}

Out mse_loss(In in, Options o) {
  Array difference = in[0], squares = in[0];
  for (size_t i = 0; i < squares.v.size(); ++i) {
    difference[i] = in[0][i] - in[1][i];
    squares[i] = difference[i] * difference[i];
  }
  const int64_t reduction = number(o, "reduction");
  if (reduction == kNone) return {squares, difference};
  return {array_like({}, joined(squares.v, reduction)), difference};
}

std::vector<double> row_of(const Array& logits, size_t r) {
  const auto classes = static_cast<size_t>(logits.shape[logits.shape.rank() - 1]);
  const double* first = logits.v.data() + r * classes;
  return {first, first + classes};
}

Out cross_entropy(In in, Options o) {
  Array rows = array_like(in[1].shape);
  for (size_t r = 0; r < rows.v.size(); ++r) {
    const std::vector<double> logits = row_of(in[0], r);
    rows[r] = log_sum_exp(logits) - logits[static_cast<size_t>(in[1][r])];
  }
  const int64_t reduction = number(o, "reduction");
  if (reduction == kNone) return {rows};
  return {array_like({}, joined(rows.v, reduction)), rows};
}

Out cross_entropy_backward(In in, Options) {
  Array y = array_like(in[1].shape);
  for (size_t r = 0; r < in[2].v.size(); ++r) {
    const std::vector<double> logits = row_of(in[1], r);
    for (size_t c = 0; c < logits.size(); ++c) {
      const double p = std::exp(logits[c] - log_sum_exp(logits));
      y[r * logits.size() + c] = in[0][r] * (p - (c == static_cast<size_t>(in[2][r]) ? 1 : 0));
    }
  }
  return {y};
}

// Element i is decided by the 32-bit word i % 4 of draw i / 4.
Out dropout(In in, Options o) {
  const double p = o.find("p")->second[0];
  Array y = in[0];
  for (size_t i = 0; i < y.v.size(); ++i) {
    const detail::Philox draw =
        detail::philox(static_cast<uint64_t>(in[1][0]), i / 4, static_cast<uint64_t>(in[1][1]));
    const auto word = static_cast<uint32_t>(draw.word[i % 4 / 2] >> (i % 2 * 32));
    y[i] = word >= p * 4294967296.0 ? y[i] / (1 - p) : 0;
  }
  return {y};
}

}  // namespace

const std::map<std::string_view, Reference>& structured_references() {
  static const std::map<std::string_view, Reference> table = [] {
    std::map<std::string_view, Reference> all = {
        {"cast", [](In in, Options) { return Out{in[0]}; }},
        {"assign", [](In in, Options) { return Out{in[0]}; }},
        {"sum", [](In in, Options o) { return reduction(in, o, total); }},
        {"mean",
         [](In in, Options o) {
           return reduction(in, o, [](const auto& v) { return total(v) / static_cast<double>(v.size()); });
         }},
        {"amax", [](In in, Options o) { return reduction(in, o, [](const auto& v) { return v[top(v)]; }); }},
        {"logsumexp", [](In in, Options o) { return reduction(in, o, log_sum_exp); }},
        {"max",
         [](In in, Options o) {
           return Out{along(in, o, [](const auto& v) { return v[top(v)]; }),
                      along(in, o, [](const auto& v) { return static_cast<double>(top(v)); })};
         }},
        {"argmax",
         [](In in, Options o) {
           return Out{along(in, o, [](const auto& v) { return static_cast<double>(top(v)); })};
         }},
        {"softmax",
         [](In in, Options o) {
           return rowwise(
               in, o, [](const auto& x, const auto&, size_t k) { return std::exp(x[k] - log_sum_exp(x)); });
         }},
        {"log_softmax",
         [](In in, Options o) {
           return rowwise(in, o, [](const auto& x, const auto&, size_t k) { return x[k] - log_sum_exp(x); });
         }},
        {"softmax_backward",
         [](In in, Options o) {
           return rowwise(in, o,
                          [](const auto& g, const auto& y, size_t k) { return y[k] * (g[k] - dot(g, y)); });
         }},
        {"log_softmax_backward",
         [](In in, Options o) {
           return rowwise(in, o, [](const auto& g, const auto& y, size_t k) {
             return g[k] - std::exp(y[k]) * total(g);
           });
         }},
        {"matmul", matmul},
        {"linear", linear},
        {"linear_backward_input", linear_backward_input},
        {"linear_backward_weight", linear_backward_weight},
        {"mse_loss", mse_loss},
        {"cross_entropy", cross_entropy},
        {"cross_entropy_backward", cross_entropy_backward},
        {"dropout", dropout},
    };
    all.insert(layout_references().begin(), layout_references().end());
    all.insert(shape_references().begin(), shape_references().end());
    all.insert(index_references().begin(), index_references().end());
    all.insert(product_references().begin(), product_references().end());
    return all;
  }();
  return table;
}

}  // namespace tapegrad::testing
