#include "optim/clip.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "autograd/raise.h"

namespace tapegrad::optim {
namespace {

// The gradients with `change` applied to those of parameters.
template <class F>
Gradients mapped(const Gradients& gradients, const F& change) {
  Gradients result;
  result.reserve(gradients.size());
  for (Gradients::Entry entry : gradients.entries()) {
    if (entry.parameter.defined()) entry.gradient = change(entry.gradient.detach());
    result.add(std::move(entry));
  }
  return result;
}

[[noreturn]] void throw_nonfinite(const Gradients& gradients, double total,
                                  const std::vector<double>& norms) {
  std::string names;
  size_t k = 0;
  for (const Gradients::Entry& entry : gradients.entries()) {
    if (!entry.parameter.defined()) continue;
    if (!std::isfinite(norms[k++])) {
      names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", entry.parameter.name());
    }
  }
  raise<NumericError>("[clip_grad_norm] the norm of the gradients is {}: not finite for {}", total,
                      names.empty() ? "all together" : names);
}

}  // namespace

Clipped clip_grad_norm(const Gradients& gradients, double max_norm, ClipOptions options) {
  if (!(max_norm >= 0)) {
    raise<ArgumentError>("[clip_grad_norm] max_norm must be at least 0, given {}", max_norm);
  }
  if (!(options.norm_type > 0)) {
    raise<ArgumentError>("[clip_grad_norm] norm_type must be above 0, given {}", options.norm_type);
  }
  std::vector<double> norms;  // of each parameter's gradient; together they have the norm of all
  for (const Gradients::Entry& entry : gradients.entries()) {
    if (!entry.parameter.defined()) continue;
    const Tensor g = entry.gradient.detach();
    norms.push_back(g.numel() == 0 ? 0 : norm(g, options.norm_type).item());
  }
  const auto count = static_cast<int64_t>(norms.size());
  const double total = count == 0 ? 0 : norm(from_vector(norms, {count}), options.norm_type).item();
  if (options.error_if_nonfinite && !std::isfinite(total)) throw_nonfinite(gradients, total, norms);
  const double factor = max_norm / (total + 1e-6);
  if (factor >= 1) return {gradients, total};
  return {mapped(gradients, [&](const Tensor& g) { return g * factor; }), total};
}

Gradients clip_grad_value(const Gradients& gradients, double clip_value) {
  if (!(clip_value >= 0)) {
    raise<ArgumentError>("[clip_grad_value] clip_value must be at least 0, given {}", clip_value);
  }
  return mapped(gradients, [&](const Tensor& g) { return maximum(minimum(g, clip_value), -clip_value); });
}

}  // namespace tapegrad::optim
