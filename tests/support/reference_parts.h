#pragma once

// What the files of references share.

#include <algorithm>
#include <cmath>
#include <span>

#include "tests/support/reference.h"

namespace tapegrad::testing {

using In = const std::vector<Array>&;
using Options = const Fields&;
using Out = std::vector<Array>;

inline int64_t number(Options o, std::string_view name) {
  return static_cast<int64_t>(o.find(name)->second[0]);
}
inline bool set(Options o, std::string_view name) { return o.contains(name); }
inline Index list(Options o, std::string_view name) {
  const std::vector<double>& v = o.find(name)->second;
  return {v.begin(), v.end()};
}
inline Shape shape_from(const Index& sizes) { return Shape(std::span<const int64_t>(sizes)); }
inline int64_t from_end(int64_t dim, int rank) { return dim < 0 ? dim + std::max(1, rank) : dim; }

// g·df, but 0 where g = 0 and df is not finite.
inline double pole(double g, double df) { return g == 0 && !std::isfinite(df) ? 0 : g * df; }
inline double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

// A backward op of operands g, x… and perhaps y: the gradient of the scalar reference `forward` by `operand`.
struct BackwardName {
  std::string_view name, forward;
  int operand;
};
// The pointwise ops of one file.
struct ScalarTable {
  std::span<const ScalarReference> ops;
  std::span<const BackwardName> backward;
};
ScalarTable activation_scalars();
ScalarTable exponential_scalars();
ScalarTable trigonometric_scalars();

// Of a list of numbers, in order: their sum; where the largest or smallest is (the first NaN wins); ln Σ e^x.
double total(const std::vector<double>& v);
size_t extreme(const std::vector<double>& v, bool largest);
double log_sum_exp(const std::vector<double>& v);

// Rows along one dim: visits the list of positions of each.
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

// The references of reductions, and of running sums and products and sorting.
const std::map<std::string_view, Reference>& reduction_references();
const std::map<std::string_view, Reference>& scan_references();
// The references of ops that move, pick or add elements without computing with them.
const std::map<std::string_view, Reference>& layout_references();
const std::map<std::string_view, Reference>& shape_references();
const std::map<std::string_view, Reference>& index_references();
// The references of products beside matmul and linear.
const std::map<std::string_view, Reference>& product_references();
const std::map<std::string_view, Reference>& loss_references();

}  // namespace tapegrad::testing
