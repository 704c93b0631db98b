#include "autograd/gradients.h"

#include <algorithm>

#include "autograd/ops.h"
#include "autograd/raise.h"
#include "autograd/text.h"

namespace tapegrad {

const Tensor* Gradients::find(const CellRef& x) const {
  for (const Entry& entry : entries_) {
    if (entry.parameter.handle() == x.handle() && x.defined()) return &entry.gradient;
  }
  return nullptr;
}

const Tensor* Gradients::find(const Tensor& x) const {
  const detail::Body* body = x.handle();
  if (body == nullptr || body->tape == 0) return nullptr;
  for (const Entry& entry : entries_) {
    if (entry.tape == body->tape && entry.value == body->value) return &entry.gradient;
  }
  return nullptr;
}

Tensor Gradients::operator[](const Of& x) const {
  if (const Tensor* gradient = x.cell_ != nullptr ? find(*x.cell_) : find(*x.tensor_)) return *gradient;
  if (x.cell_ != nullptr) {
    raise<GraphError>("[gradients] \"{}\" took no part in the result; get_or_zeros gives zeros{}",
                      x.cell_->name(), location(x.where_));
  }
  raise<GraphError>(
      "[gradients] {} took no part in the result, or was not watched; get_or_zeros gives zeros{}",
      x.tensor_->defined() ? describe(*x.tensor_) : "an undefined tensor", location(x.where_));
}

Tensor Gradients::get_or_zeros(const CellRef& x) const {
  if (const Tensor* gradient = find(x)) return *gradient;
  return zeros(x.value().shape(), x.value().dtype());
}

Tensor Gradients::get_or_zeros(const Tensor& x) const {
  if (const Tensor* gradient = find(x)) return *gradient;
  return zeros(x.shape(), x.dtype());
}

Gradients& Gradients::operator+=(const Gradients& other) {
  // Summed aside first: `g += g` reads what it was, and a throw leaves it as it was.
  Entries sum = entries_;
  for (const Entry& theirs : other.entries_) {
    auto mine = std::find_if(sum.begin(), sum.end(), [&](const Entry& e) { return e.same_key(theirs); });
    if (mine == sum.end()) {
      sum.push_back(theirs);
    } else {
      mine->gradient = tapegrad::add(mine->gradient, theirs.gradient);
    }
  }
  entries_ = std::move(sum);
  return *this;
}

Gradients& Gradients::operator*=(double factor) {
  Entries scaled = entries_;
  for (Entry& entry : scaled) entry.gradient = mul(entry.gradient, factor);
  entries_ = std::move(scaled);
  return *this;
}

std::vector<CellRef> unused(const ParameterList& parameters, const Gradients& gradients) {
  std::vector<CellRef> missing;
  for (const CellRef& parameter : parameters) {
    if (parameter.requires_grad() && gradients.find(parameter) == nullptr) missing.push_back(parameter);
  }
  return missing;
}

}  // namespace tapegrad
