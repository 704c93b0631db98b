#include "optim/sgd.h"

#include <cmath>
#include <string>
#include <unordered_set>
#include <utility>

#include "autograd/apply.h"
#include "autograd/raise.h"

namespace tapegrad::optim {
namespace {

constexpr size_t kNone = SIZE_MAX;

std::string describe(const Tensor& x) {
  return fmt::format("{}[{}]", name(x.dtype()), fmt::join(x.shape(), ", "));
}

}  // namespace

SGD::SGD(ParameterList parameters, SGDOptions options)
    : parameters_(std::move(parameters)), options_(std::move(options)), places_(parameters_.size(), kNone) {
  if (parameters_.empty()) raise<ArgumentError>("[SGD] the list of parameters is empty");
  if (!(std::isfinite(options_.momentum) && options_.momentum >= 0)) {
    raise<ArgumentError>("[SGD] momentum must be finite and at least 0, given {}", options_.momentum);
  }
  std::unordered_set<uint64_t> seen;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!parameters_[i].defined()) raise<ArgumentError>("[SGD] parameter {} of the list is undefined", i);
    if (!seen.insert(parameters_[i].id()).second) {
      raise<ArgumentError>("[SGD] \"{}\" is in the list twice", parameters_[i].name());
    }
  }
  if (options_.momentum != 0) velocities_.resize(parameters_.size());
}

// Where each parameter's gradient stands, most often where it stood at the step before.
void SGD::find(const Gradients& gradients) {
  const Gradients::Entries& entries = gradients.entries();
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const CellRef& cell = parameters_[i];
    auto holds = [&](size_t place) { return entries[place].parameter.handle() == cell.handle(); };
    size_t& place = places_[i];
    if (place >= entries.size() || !holds(place)) {
      for (place = 0; place < entries.size() && !holds(place); ++place) {
      }
      if (place == entries.size()) {
        place = kNone;
        continue;
      }
    }
    const Tensor& g = entries[place].gradient;
    if (cell.fits(g)) continue;
    const Tensor w = cell.value();
    if (g.dtype() != w.dtype()) {
      raise<DTypeError>("[SGD] the gradient of \"{}\" is {}, the parameter {}", cell.name(), describe(g),
                        describe(w));
    }
    if (!(g.shape() == w.shape())) {
      raise<ShapeError>("[SGD] the gradient of \"{}\" is {}, the parameter {}", cell.name(), describe(g),
                        describe(w));
    }
  }
}

void SGD::step(const Gradients& gradients) {
  static const Op& mul_add = *find_op("mul_add");
  const double eta = options_.learning_rate(t_ + 1);
  find(gradients);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (places_[i] == kNone) continue;
    const CellRef& cell = parameters_[i];
    const Tensor& g = gradients.entries()[places_[i]].gradient;
    if (velocities_.empty()) {
      update(cell, mul_add, {g, -eta, cell});
      continue;
    }
    Buffer& v = velocities_[i];
    if (v.defined()) {
      update(v.ref(), mul_add, {v, options_.momentum, g});
    } else {
      v = Buffer(g);
    }
    update(cell, mul_add, {v, -eta, cell});
  }
  ++t_;
}

}  // namespace tapegrad::optim
