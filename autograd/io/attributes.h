#pragma once

// Attributes of a node ↔ options of its op. Internal, not installed.

#include <string>

#include "autograd/io/json.h"
#include "autograd/op.h"
#include "autograd/options.h"

namespace tapegrad::io {

// The options that the member "attrs" of a node gives, the defaults for what it leaves out. Throws
// FormatError naming an attribute that the op does not have, that must be given, or whose value is of another
// kind.
OptionsBox read_attributes(const Place& node, const Op& op);

// The same back as an object of JSON, without what is left at its default; empty if nothing remains. Throws
// ArgumentError for options that hold a parameter.
std::string write_attributes(const Op& op, OptionsRef options);

}  // namespace tapegrad::io
