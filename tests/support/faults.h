#pragma once

// What the tests of faults and conventions share.

#include <doctest/doctest.h>

#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>

#include "autograd/autograd.h"
#include "tests/support/throws.h"

namespace tapegrad::testing {

inline constexpr double kInf = std::numeric_limits<double>::infinity();
inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// A float64 vector.
inline Tensor list(std::initializer_list<double> values) {
  return from_span(std::span<const double>(values.begin(), values.size()),
                   {static_cast<int64_t>(values.size())});
}

// The gradient of Σ c·f(x) with respect to x.
template <class F>
Tensor gradient(const F& f, const Tensor& at, const Tensor& c = {}) {
  Tape tape;
  const Tensor x = tape.watch(at);
  const Tensor y = f(x);
  return tape.gradient(y, c.defined() ? c : ones(y.shape(), y.dtype()))[x];
}

// f throws an E, and its text has every word of `gist`; gives the text.
template <class E, class F>
std::string refuses(const F& f, std::initializer_list<std::string_view> gist) {
  const std::string message = message_of<E>(f);
  INFO(message);
  for (std::string_view word : gist) {
    CHECK_MESSAGE(message.find(word) != std::string::npos, "lacks \"" << std::string(word) << "\"");
  }
  return message;
}

// The same of a call of an op: the text also begins with the op's name and names the line of the call, which
// must be in `file`, the test that calls.
template <class E, class F>
void op_refuses(std::string_view op, const F& f, std::initializer_list<std::string_view> gist,
                const char* file = __builtin_FILE()) {
  const std::string message = refuses<E>(f, gist);
  INFO(message);
  CHECK(message.starts_with("[" + std::string(op) + "] "));
  const std::string_view path = file;
  CHECK(message.find("(" + std::string(path.substr(path.rfind('/') + 1)) + ":") != std::string::npos);
}

}  // namespace tapegrad::testing
