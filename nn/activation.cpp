#include "nn/activation.h"

#include <vector>

#include "autograd/apply.h"
#include "nn/names.h"

namespace tapegrad::nn {

Tensor detail::to_tensor(const Arg& x) {
  switch (x.kind()) {
    case Arg::Kind::none: return {};
    case Arg::Kind::tensor: return Tensor::share(x.body());
    // An alias that the tape records, so that a parameter stays tracked.
    case Arg::Kind::cell: return reshape(x, CellRef::share(x.cell()).value().shape());
    default: return reshape(x, {});
  }
}

Tensor Activation::apply_op(const Arg& x) const { return apply(*op, {x}); }

namespace {

// Whether the default options will do; clamp needs a bound.
bool has_defaults(const Op& op) {
  if (op.options == nullptr || op.number_options == nullptr) return true;
  std::vector<double> numbers(static_cast<size_t>(op.numbers));
  return op.number_options(OptionsBox(op.options).ref().data, numbers.data());
}

// Works element by element on floats, and is worth differentiating.
bool is_activation(const Op& op) {
  return op.pointwise[static_cast<int>(float32)] != nullptr && op.max_inputs == 1 && !op.boolean_result &&
         op.flags.non_differentiable == nullptr && !op.flags.zero_gradient && has_defaults(op);
}

}  // namespace

std::span<const Activation> all_activations() {
  static const std::vector<Activation> all = [] {
    std::vector<Activation> list = {identity, relu6};
    for (const Op* op : all_ops()) {
      if (is_activation(*op)) list.push_back({op->name, nullptr, op});
    }
    return list;
  }();
  return all;
}

const Activation* find_activation(std::string_view name) {
  for (const Activation& activation : all_activations()) {
    if (activation.name == name) return &activation;
  }
  return nullptr;
}

const Activation& activation(std::string_view name) {
  if (const Activation* found = find_activation(name)) return *found;
  raise_unknown("activation", "name", name, all_activations(), [](const Activation& a) { return a.name; });
}

}  // namespace tapegrad::nn
