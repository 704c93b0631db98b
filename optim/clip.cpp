#include "optim/clip.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "autograd/program/trace.h"
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

// `norms` holds one element for each parameter.
[[noreturn]] void throw_nonfinite(const Gradients& gradients, double total, const Tensor& norms) {
  std::string names;
  size_t k = 0;
  for (const Gradients::Entry& entry : gradients.entries()) {
    if (!entry.parameter.defined()) continue;
    if (!std::isfinite(norms.data<double>()[k++])) {
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
  std::vector<Tensor> parts;  // of each parameter's gradient; together they have the norm of all
  for (const Gradients::Entry& entry : gradients.entries()) {
    if (!entry.parameter.defined()) continue;
    const Tensor g = entry.gradient.detach();
    parts.push_back(g.numel() == 0 ? zeros({}, DType::float64)
                                   : cast(norm(g, options.norm_type), DType::float64));
  }
  if (parts.empty()) return {gradients, zeros({}, DType::float64)};
  const Tensor norms = stack(parts), total = norm(norms, options.norm_type);
  if (options.error_if_nonfinite && !std::isfinite(total.item()))
    throw_nonfinite(gradients, total.item(), norms);
  const Tensor factor = minimum(max_norm / (total + 1e-6), 1.0);
  // Times 1 is nothing to do; a Program has to do it.
  if (!detail::is_tracing() && factor.item() == 1) return {gradients, total};
  return {mapped(gradients, [&](const Tensor& g) { return g * cast(factor, g.dtype()); }), total};
}

Gradients clip_grad_value(const Gradients& gradients, double clip_value) {
  if (!(clip_value >= 0)) {
    raise<ArgumentError>("[clip_grad_value] clip_value must be at least 0, given {}", clip_value);
  }
  return mapped(gradients, [&](const Tensor& g) { return maximum(minimum(g, clip_value), -clip_value); });
}

}  // namespace tapegrad::optim
