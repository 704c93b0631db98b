// References of softmax, products and the rest that is not pointwise.

#include <cmath>

#include "autograd/random.h"
#include "tests/support/reference_parts.h"

namespace tapegrad::testing {
namespace {

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

Out linear_backward_bias(In in, Options) {
  const Array& g = in[0];
  const int64_t out = g.shape[g.shape.rank() - 1];
  Array y = array_like({out});
  std::vector<std::vector<double>> terms(static_cast<size_t>(out));
  for (size_t i = 0; i < g.v.size(); ++i) terms[i % static_cast<size_t>(out)].push_back(g[i]);
  for (size_t j = 0; j < terms.size(); ++j) y[j] = total(terms[j]);
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
        {"linear_backward_bias", linear_backward_bias},
        {"dropout", dropout},
    };
    for (const auto* more :
         {&layout_references(), &shape_references(), &index_references(), &product_references(),
          &reduction_references(), &scan_references(), &loss_references()}) {
      all.insert(more->begin(), more->end());
    }
    return all;
  }();
  return table;
}

}  // namespace tapegrad::testing
