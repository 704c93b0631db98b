#pragma once

// What the layers check when they are made. Internal, not installed.

#include <cstdint>
#include <string_view>

#include "autograd/raise.h"

namespace tapegrad::nn {

// The number given back, so that it can be used in a list of initialisers.
inline int64_t checked_inputs(std::string_view layer, int64_t in, int64_t out) {
  if (in < 1 || out < 1) {
    raise<ArgumentError>("[{}] expected at least one input and one output, given {}→{}", layer, in, out);
  }
  return in;
}

}  // namespace tapegrad::nn
