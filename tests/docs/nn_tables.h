#pragma once

// The tables of nn/README.md, made from the headers of nn and from its lists.

#include <string>
#include <string_view>

namespace tapegrad::docs {

// A row for each struct or class of the header text that has a call operator for tensors (layers) or an
// update() (metrics): its name and the first sentence of the comment above it.
std::string layer_table(std::string_view headers);
std::string metric_table(std::string_view headers);
std::string initializer_table();
std::string activation_list();

// The text of the headers that declare layers, and metrics.
std::string layer_headers();
std::string metric_headers();

}  // namespace tapegrad::docs
