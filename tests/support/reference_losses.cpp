// References of the losses.

#include <algorithm>
#include <cmath>

#include "tests/support/reference_parts.h"

namespace tapegrad::testing {
namespace {

enum { kNone, kMean, kSum };

// Losses of elements or rows, of which some are left out, joined; the mean divides by `weights`.
Out joined(const Array& each, int64_t reduction, double weights) {
  if (reduction == kNone) return {each};
  return {array_like({}, reduction == kMean ? total(each.v) / weights : total(each.v))};
}

// ---- losses of elements ----

// One element: input, target, pos_weight and the options.
struct Element {
  double x, t, positive;
  Options o;
  double option(std::string_view name) const { return o.find(name)->second[0]; }
};
using Term = double (*)(const Element& e);

double sign(double d) { return d > 0 ? 1 : d < 0 ? -1 : d; }
double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }

double mse(const Element& e) { return (e.x - e.t) * (e.x - e.t); }
double mse_slope(const Element& e) { return 2 * (e.x - e.t); }
double l1(const Element& e) { return std::fabs(e.x - e.t); }
double l1_slope(const Element& e) { return sign(e.x - e.t); }
double huber(const Element& e) {
  const double d = std::fabs(e.x - e.t), delta = e.option("delta");
  return d <= delta ? d * d / 2 : delta * (d - delta / 2);
}
double huber_slope(const Element& e) {
  const double d = e.x - e.t, delta = e.option("delta");
  return std::fabs(d) <= delta ? d : delta * sign(d);
}
double smooth_l1(const Element& e) {
  const double d = std::fabs(e.x - e.t), beta = e.option("beta");
  return d < beta ? d * d / (2 * beta) : d - beta / 2;
}
double smooth_l1_slope(const Element& e) {
  const double d = e.x - e.t, beta = e.option("beta");
  return std::fabs(d) < beta ? d / beta : sign(d);
}
double bce(const Element& e) {
  return -(e.t * std::max(std::log(e.x), -100.0) + (1 - e.t) * std::max(std::log1p(-e.x), -100.0));
}
double bce_slope(const Element& e) { return (e.x - e.t) / std::max(e.x * (1 - e.x), 1e-12); }
double bce_slope_target(const Element& e) {
  return std::max(std::log1p(-e.x), -100.0) - std::max(std::log(e.x), -100.0);
}
double logits(const Element& e) { return e.positive * e.t * softplus(-e.x) + (1 - e.t) * softplus(e.x); }
double logits_slope(const Element& e) { return (1 - e.t) * sigmoid(e.x) - e.positive * e.t * sigmoid(-e.x); }
double logits_slope_target(const Element& e) { return e.positive * softplus(-e.x) - softplus(e.x); }
double kl(const Element& e) {
  if (e.option("log_target") != 0) return std::exp(e.t) == 0 ? 0 : std::exp(e.t) * (e.t - e.x);
  return e.t == 0 ? 0 : e.t * (std::log(e.t) - e.x);
}
double kl_slope(const Element& e) { return e.option("log_target") != 0 ? -std::exp(e.t) : -e.t; }
double kl_slope_target(const Element& e) {
  if (e.option("log_target") != 0) return std::exp(e.t) == 0 ? 0 : std::exp(e.t) * (e.t - e.x + 1);
  return e.t == 0 ? 0 : std::log(e.t) - e.x + 1;
}

// term·weight of each element, operands from `input` on.
Array terms(In in, size_t input, Options o, Term term) {
  const Array &x = in[input], &t = in[input + 1];
  Array y = array_like(x.shape);
  for (size_t i = 0; i < y.v.size(); ++i) {
    Element e{x[i], t[i], 1, o};
    const auto positive = o.find("pos_weight");
    if (positive != o.end() && !positive->second.empty())
      e.positive = positive->second[i % positive->second.size()];
    const double weight =
        in.size() > input + 2 ? broadcast_at(in[input + 2], unravel(static_cast<int64_t>(i), x.shape)) : 1;
    y[i] = term(e) * weight;
  }
  return y;
}

template <Term term>
Out loss(In in, Options o) {
  return joined(terms(in, 0, o, term), number(o, "reduction"), static_cast<double>(in[0].v.size()));
}

template <Term slope>
Out backward(In in, Options o) {
  Array y = terms(in, 1, o, slope);
  const int64_t reduction = number(o, "reduction");
  for (size_t i = 0; i < y.v.size(); ++i) {
    y[i] *= reduction == kNone   ? in[0][i]
            : reduction == kMean ? in[0][0] / static_cast<double>(y.v.size())
                                 : in[0][0];
  }
  return {y};
}

// ---- losses of classes ----

// Operands from `input` on: input [n, c, d…] or [c], target and perhaps a weight.
class Classes {
 public:
  Classes(In in, size_t input, const Shape& shape, Options o)
      : in_(in), target_(in[input + 1]), shape_(shape), o_(o) {
    weight_ = in.size() > input + 2 ? &in[input + 2] : nullptr;
    dim_ = shape.rank() == 1 ? 0 : 1;
    Index sizes(shape.begin(), shape.end());
    sizes.erase(sizes.begin() + dim_);
    rows_ = shape_from(sizes);
  }
  const Shape& rows() const { return rows_; }
  int64_t classes() const { return shape_[dim_]; }
  double weight(int64_t c) const { return weight_ != nullptr ? (*weight_)[static_cast<size_t>(c)] : 1; }
  // Where class c of row r stands in the input.
  size_t place(int64_t r, int64_t c) const {
    Index index = unravel(r, rows_);
    index.insert(index.begin() + dim_, c);
    return ravel(index, shape_);
  }
  int64_t target(int64_t r) const { return static_cast<int64_t>(target_[static_cast<size_t>(r)]); }
  bool by_index() const { return target_.shape == rows_; }
  bool ignored(int64_t r) const { return by_index() && target(r) == number(o_, "ignore_index"); }
  // What the losses and slopes of class c of row r are multiplied by.
  double coefficient(int64_t r, int64_t c) const {
    if (ignored(r)) return 0;
    const double smoothing = o_.contains("label_smoothing") ? o_.find("label_smoothing")->second[0] : 0;
    const double q = by_index() ? (target(r) == c ? 1 : 0) : target_[place(r, c)];
    return weight(c) * ((1 - smoothing) * q + smoothing / static_cast<double>(classes()));
  }
  // What the mean divides by.
  double divisor() const {
    double sum = 0;
    for (int64_t r = 0; r < rows_.numel(); ++r) sum += ignored(r) ? 0 : by_index() ? weight(target(r)) : 1;
    return sum;
  }
  // The cotangent of row r's loss, where g is that of the joined one.
  double g(int64_t r) const {
    const int64_t reduction = number(o_, "reduction");
    if (reduction == kNone) return in_[0][static_cast<size_t>(r)];
    return reduction == kMean ? in_[0][0] / divisor() : in_[0][0];
  }
  std::vector<double> row(const Array& x, int64_t r) const {
    std::vector<double> values;
    for (int64_t c = 0; c < classes(); ++c) values.push_back(x[place(r, c)]);
    return values;
  }

 private:
  In in_;
  const Array& target_;
  const Array* weight_;
  Shape shape_, rows_;
  Options o_;
  int dim_;
};

Out cross_entropy(In in, Options o) {
  const Classes k(in, 0, in[0].shape, o);
  Array each = array_like(k.rows());
  for (int64_t r = 0; r < k.rows().numel(); ++r) {
    const std::vector<double> x = k.row(in[0], r);
    std::vector<double> terms;
    for (int64_t c = 0; c < k.classes(); ++c) {
      const double a = k.coefficient(r, c);
      terms.push_back(a == 0 ? 0 : a * (log_sum_exp(x) - x[static_cast<size_t>(c)]));
    }
    each[static_cast<size_t>(r)] = total(terms);
  }
  return joined(each, number(o, "reduction"), k.divisor());
}

Out cross_entropy_backward(In in, Options o) {
  const Classes k(in, 1, in[1].shape, o);
  Array y = array_like(in[1].shape);
  for (int64_t r = 0; r < k.rows().numel(); ++r) {
    if (k.ignored(r)) continue;
    const std::vector<double> x = k.row(in[1], r);
    double sum = 0;
    for (int64_t c = 0; c < k.classes(); ++c) sum += k.coefficient(r, c);
    for (int64_t c = 0; c < k.classes(); ++c) {
      const double p = std::exp(x[static_cast<size_t>(c)] - log_sum_exp(x));
      y[k.place(r, c)] = k.g(r) * (sum * p - k.coefficient(r, c));
    }
  }
  return {y};
}

Out nll_loss(In in, Options o) {
  const Classes k(in, 0, in[0].shape, o);
  Array each = array_like(k.rows());
  for (int64_t r = 0; r < k.rows().numel(); ++r) {
    if (!k.ignored(r)) each[static_cast<size_t>(r)] = -k.weight(k.target(r)) * in[0][k.place(r, k.target(r))];
  }
  return joined(each, number(o, "reduction"), k.divisor());
}

Out nll_loss_backward(In in, Options o) {
  Index sizes(in[1].shape.begin(), in[1].shape.end());
  sizes.insert(sizes.begin() + (sizes.empty() ? 0 : 1), number(o, "classes"));
  const Classes k(in, 0, shape_from(sizes), o);
  Array y = array_like(shape_from(sizes));
  for (int64_t r = 0; r < k.rows().numel(); ++r) {
    if (!k.ignored(r)) y[k.place(r, k.target(r))] = -k.weight(k.target(r)) * k.g(r);
  }
  return {y};
}

}  // namespace

const std::map<std::string_view, Reference>& loss_references() {
  static const std::map<std::string_view, Reference> table = {
      {"mse_loss", loss<mse>},
      {"mse_loss_backward", backward<mse_slope>},
      {"l1_loss", loss<l1>},
      {"l1_loss_backward", backward<l1_slope>},
      {"huber_loss", loss<huber>},
      {"huber_loss_backward", backward<huber_slope>},
      {"smooth_l1_loss", loss<smooth_l1>},
      {"smooth_l1_loss_backward", backward<smooth_l1_slope>},
      {"binary_cross_entropy", loss<bce>},
      {"binary_cross_entropy_backward", backward<bce_slope>},
      {"binary_cross_entropy_backward_target", backward<bce_slope_target>},
      {"binary_cross_entropy_with_logits", loss<logits>},
      {"binary_cross_entropy_with_logits_backward", backward<logits_slope>},
      {"binary_cross_entropy_with_logits_backward_target", backward<logits_slope_target>},
      {"kl_div", loss<kl>},
      {"kl_div_backward", backward<kl_slope>},
      {"kl_div_backward_target", backward<kl_slope_target>},
      {"cross_entropy", cross_entropy},
      {"cross_entropy_backward", cross_entropy_backward},
      {"nll_loss", nll_loss},
      {"nll_loss_backward", nll_loss_backward},
  };
  return table;
}

}  // namespace tapegrad::testing
