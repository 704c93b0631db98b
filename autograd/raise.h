#pragma once

// Internal: words an error with fmt and throws it. Not installed.

#include <fmt/format.h>

#include "autograd/error.h"

namespace tapegrad {

template <class E, class... Args>
[[noreturn]] void raise(fmt::format_string<Args...> format, Args&&... args) {
  throw E(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace tapegrad
