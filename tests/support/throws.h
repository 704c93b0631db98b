#pragma once

#include <string>

#include "autograd/error.h"

namespace tapegrad::testing {

// What f throws as an E; "nothing was thrown" otherwise. Other exceptions pass through.
template <class E = Error, class F>
std::string message_of(const F& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace tapegrad::testing
