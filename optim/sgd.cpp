#include "optim/sgd.h"

#include <cmath>
#include <string>
#include <unordered_set>
#include <utility>

#include "autograd/apply.h"
#include "autograd/program/trace.h"
#include "autograd/raise.h"

namespace tapegrad::optim {
namespace {

constexpr size_t kNone = SIZE_MAX;

std::string describe(const Tensor& x) {
  return fmt::format("{}[{}]", name(x.dtype()), fmt::join(x.shape(), ", "));
}

}  // namespace

SGD::SGD(ParameterList parameters, SGDOptions options)
    : parameters_(std::move(parameters)),
      options_(std::move(options)),
      clock_(std::make_shared<Clock>(Clock{options_.learning_rate})),
      places_(parameters_.size(), kNone) {
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

SGD::SGD(const SGD& other)
    : parameters_(other.parameters_),
      options_(other.options_),
      clock_(std::make_shared<Clock>(*other.clock_)),
      velocities_(other.velocities_),
      places_(other.places_) {}

SGD& SGD::operator=(SGD other) noexcept {
  std::swap(parameters_, other.parameters_);
  std::swap(options_, other.options_);
  std::swap(clock_, other.clock_);
  std::swap(velocities_, other.velocities_);
  std::swap(places_, other.places_);
  return *this;
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
  find(gradients);
  const detail::HostScope step({clock_,
                                [](void* state) {
                                  auto& clock = *static_cast<Clock*>(state);
                                  clock.minus_eta = -clock.learning_rate(clock.t + 1);
                                },
                                [](void* state) { ++static_cast<Clock*>(state)->t; }});
  const Arg minus_eta = Arg::live(&clock_->minus_eta);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (places_[i] == kNone) continue;
    const CellRef& cell = parameters_[i];
    const Tensor& g = gradients.entries()[places_[i]].gradient;
    if (velocities_.empty()) {
      update(cell, mul_add, {g, minus_eta, cell});
      continue;
    }
    Buffer& v = velocities_[i];
    if (!v.defined()) v = Buffer(zeros(g.shape(), g.dtype()));
    update(v.ref(), mul_add, {v, options_.momentum, g});
    update(cell, mul_add, {v, minus_eta, cell});
  }
}

}  // namespace tapegrad::optim
