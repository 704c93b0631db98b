#include "autograd/options.h"

#include <algorithm>
#include <utility>

#include "autograd/raise.h"
#include "autograd/storage.h"
#include "autograd/text.h"

namespace tapegrad {

Text::Text(std::string_view text) {
  if (text.size() > kCapacity) {
    raise<ArgumentError>("a text option of {} bytes, expected at most {}", text.size(), kCapacity);
  }
  std::copy(text.begin(), text.end(), text_);
  size_ = static_cast<uint8_t>(text.size());
}

Pads::Pads(std::span<const int64_t> values) {
  for (int64_t v : values) push_back(v);
}

void Pads::push_back(int64_t value) {
  if (size_ == kCapacity) {
    raise<ArgumentError>("expected at most {} entries: two for each of {} dimensions", kCapacity, kMaxRank);
  }
  values_[size_++] = value;
}

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
