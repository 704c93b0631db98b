#pragma once

// The texts of table cells, and tables of them.

#include <string>
#include <string_view>
#include <vector>

#include "autograd/options.h"
#include "autograd/samples.h"

namespace tapegrad::docs {

using Row = std::vector<std::string>;

// Words joined by spaces, in lines of at most 100 characters.
std::string wrapped(const std::vector<std::string>& words);

// A Markdown table whose columns also line up as plain text, but for very long cells and the last column.
// The first row is the head.
std::string markdown(const std::vector<Row>& rows);

// "2.5", "−inf", "NaN".
std::string number(double value);
// "[[1, 2], [3, 4]]"; "empty [0, 3]" for one without elements.
std::string numbers(const Tensor& x);
// "dim=none, keepdim=false": every field of default options.
std::string defaults(const OptionsType* type);
// What differs from the defaults: "dim=1".
std::string chosen(OptionsRef options);

}  // namespace tapegrad::docs
