#include "autograd/options.h"

#include <utility>

#include "autograd/storage.h"
#include "autograd/text.h"

namespace tapegrad {

OptionsBox::OptionsBox(OptionsRef from) : type_(from.type) {
  if (type_ == nullptr) return;
  data_ = detail::pool_allocate(type_->size);
  type_->copy(data_, from.data);
}

OptionsBox::OptionsBox(const OptionsType* type) : data_(detail::pool_allocate(type->size)), type_(type) {
  type_->construct(data_);
}

OptionsBox& OptionsBox::operator=(OptionsBox other) noexcept {
  std::swap(data_, other.data_);
  std::swap(type_, other.type_);
  return *this;
}

OptionsBox::~OptionsBox() {
  if (data_ == nullptr) return;
  type_->destroy(data_);
  detail::pool_free(data_, type_->size);
}

// A double prints with the digits that tell it from every other, and a cell with its id, so equal text means
// equal fields.
bool equal(OptionsRef a, OptionsRef b) { return a.type == b.type && to_string(a) == to_string(b); }

}  // namespace tapegrad
