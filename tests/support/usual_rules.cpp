#include "tests/support/usual_rules.h"

#include <cmath>

namespace tapegrad::testing {
namespace {

using Tensors = std::vector<Tensor>;

Tensors vjp(const Function& f, std::span<const Tensor> inputs, const Tensor& c) {
  Tape tape;
  Tensors x;
  for (const Tensor& t : inputs) x.push_back(is_floating(t.dtype()) ? tape.watch(t) : t);
  const Tensor y = f(x);
  const Gradients g = tape.gradient(y, c);
  Tensors result;
  for (const Tensor& t : x) result.push_back(is_floating(t.dtype()) ? g.get_or_zeros(t) : Tensor());
  return result;
}

Tensor moved(const Tensor& x, const std::vector<double>& along, double t) {
  std::vector<double> v = x.to_vector<double>();
  for (size_t i = 0; i < v.size(); ++i) v[i] += t * along[i];
  return from_vector(v, x.shape());
}

// (f(x + t·v) − f(x − t·v)) / 2t, where `along[i]` is v for input i and may be empty.
std::vector<double> central(const Function& f, std::span<const Tensor> inputs,
                            const std::vector<std::vector<double>>& along, double t) {
  Tensors up(inputs.begin(), inputs.end()), down = up;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (along[i].empty()) continue;
    up[i] = moved(inputs[i], along[i], t);
    down[i] = moved(inputs[i], along[i], -t);
  }
  std::vector<double> high = f(up).to_vector<double>(), low = f(down).to_vector<double>();
  for (size_t j = 0; j < high.size(); ++j) high[j] = (high[j] - low[j]) / (2 * t);
  return high;
}

}  // namespace

bool torch_rule(const Function& f, std::span<const Tensor> inputs) {
  const Tensor y = f(inputs);
  std::vector<Tensors> rows;
  for (int64_t j = 0; j < y.numel(); ++j) {
    std::vector<double> hot(static_cast<size_t>(y.numel()));
    hot[static_cast<size_t>(j)] = 1;
    rows.push_back(vjp(f, inputs, from_vector(hot, y.shape())));
  }
  std::vector<std::vector<double>> along(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!is_floating(inputs[i].dtype())) continue;
    for (int64_t e = 0; e < inputs[i].numel(); ++e) {
      along[i].assign(static_cast<size_t>(inputs[i].numel()), 0.0);
      along[i][static_cast<size_t>(e)] = 1;
      const std::vector<double> column = central(f, inputs, along, 1e-6);
      for (size_t j = 0; j < column.size(); ++j) {
        const double a = rows[j][i].data<double>()[static_cast<size_t>(e)];
        if (!(std::fabs(a - column[j]) <= 1e-5 + 1e-3 * std::fabs(column[j]))) return false;
      }
    }
    along[i].clear();
  }
  return true;
}

bool jax_rule(const Function& f, std::span<const Tensor> inputs, uint64_t seed) {
  Rng rng(seed);
  const Tensor y = f(inputs);
  const Tensor c = rng.normal(y.shape(), float64);
  const Tensors g = vjp(f, inputs, c);
  std::vector<std::vector<double>> along(inputs.size());
  double by_vjp = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!is_floating(inputs[i].dtype())) continue;
    along[i] = rng.normal(inputs[i].shape(), float64).to_vector<double>();
    for (size_t e = 0; e < along[i].size(); ++e) by_vjp += along[i][e] * g[i].data<double>()[e];
  }
  const std::vector<double> out = central(f, inputs, along, 1.0 / 2048);
  double by_difference = 0;
  for (size_t j = 0; j < out.size(); ++j) by_difference += c.data<double>()[j] * out[j];
  return std::fabs(by_vjp - by_difference) <= 1e-5 + 1e-5 * std::fabs(by_difference);
}

}  // namespace tapegrad::testing
