#pragma once

// The tables of optim/README.md.

#include <string>
#include <string_view>

namespace tapegrad::docs {

// A row for each of optim::all_optimizers().
std::string optimizer_table();
// A row for each function that `headers` declares to give a schedule, and for each class that is one: its
// arguments and the fields of its options with their defaults, and the comment above it.
std::string schedule_table(std::string_view headers);

}  // namespace tapegrad::docs
