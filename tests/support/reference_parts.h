#pragma once

// What the files of references share.

#include <algorithm>

#include "tests/support/reference.h"

namespace tapegrad::testing {

using In = const std::vector<Array>&;
using Options = const Fields&;
using Out = std::vector<Array>;

inline int64_t number(Options o, std::string_view name) {
  return static_cast<int64_t>(o.find(name)->second[0]);
}
inline bool set(Options o, std::string_view name) { return o.contains(name); }
inline Index list(Options o, std::string_view name) {
  const std::vector<double>& v = o.find(name)->second;
  return {v.begin(), v.end()};
}
inline Shape shape_from(const Index& sizes) { return Shape(std::span<const int64_t>(sizes)); }
inline int64_t from_end(int64_t dim, int rank) { return dim < 0 ? dim + std::max(1, rank) : dim; }

// The references of ops that move, pick or add elements without computing with them.
const std::map<std::string_view, Reference>& layout_references();
const std::map<std::string_view, Reference>& shape_references();
const std::map<std::string_view, Reference>& index_references();
// The references of products beside matmul and linear.
const std::map<std::string_view, Reference>& product_references();

}  // namespace tapegrad::testing
