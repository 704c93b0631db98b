#include "autograd/error.h"

#include <string>

namespace tapegrad {

// Shared by the copies of one exception, so that copying does not allocate.
struct Error::Text {
  int references = 1;
  std::string message;
};

Error::Error(std::string_view message) : text_(new Text{1, std::string(message)}) {}

Error::Error(const Error& other) noexcept : std::exception(other), text_(other.text_) {
  __atomic_add_fetch(&text_->references, 1, __ATOMIC_RELAXED);
}

Error& Error::operator=(const Error& other) noexcept {
  if (this == &other) return *this;
  __atomic_add_fetch(&other.text_->references, 1, __ATOMIC_RELAXED);
  Text* old = text_;
  text_ = other.text_;
  if (__atomic_sub_fetch(&old->references, 1, __ATOMIC_ACQ_REL) == 0) delete old;
  return *this;
}

Error::~Error() {
  if (__atomic_sub_fetch(&text_->references, 1, __ATOMIC_ACQ_REL) == 0) delete text_;
}

const char* Error::what() const noexcept { return text_->message.c_str(); }

void Error::add_context(std::string_view line) { text_->message.append("\n  ").append(line); }

}  // namespace tapegrad
