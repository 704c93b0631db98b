#pragma once

// What a mistyped name was probably meant to be. Internal, not installed.

#include <string_view>

#include "autograd/export.h"

namespace tapegrad::io {

// How many letters must be changed, added, left out, or exchanged with their neighbour to make a from b.
TAPEGRAD_API int distance(std::string_view a, std::string_view b);

// The nearest to `given` among `names` (a range of anything with or being a name); empty for no names.
template <class Names, class NameOf>
std::string_view nearest(std::string_view given, const Names& names, NameOf name_of) {
  std::string_view best;
  int least = -1;
  for (const auto& candidate : names) {
    const std::string_view name = name_of(candidate);
    const int d = distance(given, name);
    if (least >= 0 && d >= least) continue;
    least = d;
    best = name;
  }
  return best;
}

}  // namespace tapegrad::io
