#pragma once

// Internal: what to say to a name that nothing is called by. Not installed.

#include <string_view>

#include "autograd/io/nearest.h"
#include "autograd/raise.h"

namespace tapegrad::nn {

// Throws the ArgumentError "[where] unknown WHAT 'reul', did you mean 'relu'?". `names` is a range whose
// entries name_of turns into names.
template <class Names, class NameOf>
[[noreturn]] void raise_unknown(std::string_view where, std::string_view what, std::string_view given,
                                const Names& names, NameOf name_of) {
  constexpr size_t kMost = 60;  // bytes of the name that are quoted
  raise<ArgumentError>("[{}] unknown {} '{}{}', did you mean '{}'?", where, what, given.substr(0, kMost),
                       given.size() > kMost ? "…" : "", io::nearest(given, names, name_of));
}

}  // namespace tapegrad::nn
