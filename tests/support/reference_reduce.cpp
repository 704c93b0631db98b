// References of reductions.

#include <cmath>
#include <limits>

#include "tests/support/reference_parts.h"

namespace tapegrad::testing {

double total(const std::vector<double>& v) {
  long double sum = 0;
  for (double e : v) sum += e;
  return static_cast<double>(sum);
}

size_t extreme(const std::vector<double>& v, bool largest) {
  size_t best = 0;
  for (size_t i = 1; i < v.size(); ++i) {
    const bool beats = largest ? v[i] > v[best] : v[i] < v[best];
    if (!std::isnan(v[best]) && (beats || std::isnan(v[i]))) best = i;
  }
  return best;
}

double log_sum_exp(const std::vector<double>& v) {
  if (v.empty()) return -std::numeric_limits<double>::infinity();
  const size_t top = extreme(v, true);
  if (!std::isfinite(v[top])) return v[top];
  std::vector<double> rest;
  for (size_t i = 0; i < v.size(); ++i) rest.push_back(i == top ? 0 : std::exp(v[i] - v[top]));
  return v[top] + std::log1p(total(rest));
}

namespace {

using Numbers = std::vector<double>;

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
Array reduction(In in, Options o, const F& f) {
  const Array& x = in[0];
  const std::vector<bool> reduced = reduced_dims(o, x.shape.rank());
  Index kept, sizes;
  for (int d = 0; d < x.shape.rank(); ++d) {
    const bool r = reduced[static_cast<size_t>(d)];
    kept.push_back(r ? 1 : x.shape[d]);
    if (!r || number(o, "keepdim") != 0) sizes.push_back(r ? 1 : x.shape[d]);
  }
  const Shape group_shape = shape_from(kept);
  std::vector<Numbers> groups(static_cast<size_t>(group_shape.numel()));
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

double mean(const Numbers& v) { return total(v) / static_cast<double>(v.size()); }

double product(const Numbers& v) {
  long double all = 1;
  for (double e : v) all *= e;
  return static_cast<double>(all);
}

double variance(const Numbers& v, int64_t correction) {
  Numbers squares;
  for (double e : v) squares.push_back((e - mean(v)) * (e - mean(v)));
  return total(squares) / std::max(0.0, static_cast<double>(v.size()) - static_cast<double>(correction));
}

double norm(const Numbers& v, double p) {
  Numbers sizes;
  for (double e : v) sizes.push_back(std::fabs(e));
  if (std::isinf(p)) return sizes[extreme(sizes, p > 0)];
  // In long double nothing over- or underflows here.
  long double sum = 0;
  for (double e : sizes)
    sum += p == 0 ? e != 0 : std::pow(static_cast<long double>(e), static_cast<long double>(p));
  return static_cast<double>(p == 0 ? sum : std::pow(sum, 1 / static_cast<long double>(p)));
}

Out var_backward(In in, Options o) {
  const Array &g = in[0], &x = in[1];
  Array y = array_like(x.shape);
  for (int64_t i = 0; i < x.shape.numel(); ++i) {
    Index index = unravel(i, x.shape);
    Numbers column;
    for (index[1] = 0; index[1] < x.shape[1]; ++index[1]) column.push_back(x[ravel(index, x.shape)]);
    const double n = static_cast<double>(x.shape[1] - number(o, "correction"));
    const auto at = static_cast<size_t>(i);
    y[at] = broadcast_at(g, unravel(i, x.shape)) * 2 * (x[at] - mean(column)) / std::max(0.0, n);
  }
  return {y};
}

}  // namespace

const std::map<std::string_view, Reference>& reduction_references() {
  static const std::map<std::string_view, Reference> table = {
      {"sum", [](In in, Options o) { return Out{reduction(in, o, total)}; }},
      {"mean", [](In in, Options o) { return Out{reduction(in, o, mean)}; }},
      {"prod", [](In in, Options o) { return Out{reduction(in, o, product)}; }},
      {"amax",
       [](In in, Options o) {
         return Out{reduction(in, o, [](const auto& v) { return v[extreme(v, true)]; })};
       }},
      {"amin",
       [](In in, Options o) {
         return Out{reduction(in, o, [](const auto& v) { return v[extreme(v, false)]; })};
       }},
      {"logsumexp", [](In in, Options o) { return Out{reduction(in, o, log_sum_exp)}; }},
      {"var",
       [](In in, Options o) {
         return Out{reduction(in, o, [&](const auto& v) { return variance(v, number(o, "correction")); })};
       }},
      {"std",
       [](In in, Options o) {
         return Out{reduction(
             in, o, [&](const auto& v) { return std::sqrt(variance(v, number(o, "correction"))); })};
       }},
      {"var_backward", var_backward},
      {"norm",
       [](In in, Options o) {
         return Out{reduction(in, o, [&](const auto& v) { return norm(v, o.find("p")->second[0]); })};
       }},
      {"max",
       [](In in, Options o) {
         return Out{reduction(in, o, [](const auto& v) { return v[extreme(v, true)]; }),
                    reduction(in, o, [](const auto& v) { return double(extreme(v, true)); })};
       }},
      {"min",
       [](In in, Options o) {
         return Out{reduction(in, o, [](const auto& v) { return v[extreme(v, false)]; }),
                    reduction(in, o, [](const auto& v) { return double(extreme(v, false)); })};
       }},
      {"argmax",
       [](In in, Options o) {
         return Out{reduction(in, o, [](const auto& v) { return double(extreme(v, true)); })};
       }},
      {"argmin",
       [](In in, Options o) {
         return Out{reduction(in, o, [](const auto& v) { return double(extreme(v, false)); })};
       }},
  };
  return table;
}

}  // namespace tapegrad::testing
