#pragma once

// The tables of autograd/README.md, made from the ops, and the pages that hold these and others.

#include <span>
#include <string>
#include <string_view>

#include "autograd/op.h"

namespace tapegrad::docs {

// A row for each op that `headers` (the text of the public ones) declares a function of; the others follow as
// one list of names.
std::string op_table(std::string_view headers, std::span<const Op* const> ops = all_ops());
// A row for each convention of each op, in float64.
std::string convention_table(std::span<const Op* const> ops = all_ops());

// The page with what stands between each pair of lines <!-- generated: NAME --> and <!-- end --> made anew.
// Throws ArgumentError for a name that there is no table for and where a line or its end is missing.
std::string with_tables(std::string_view page, std::string_view headers);

// "119 ops: 1,204 calls, 61 conventions, 244 calls that must throw", each per dtype.
std::string counts(std::span<const Op* const> ops = all_ops());

}  // namespace tapegrad::docs
