#pragma once

// Elements gathered from rows, column by column. Internal, not installed.

#include <cstdint>

namespace tapegrad::kernels {

// y[o, r, c] = x[o, index[o, r, c], c]: x is [outer, n, x_row], index and y are [outer, rows, row], row <=
// x_row.
struct Gathered {
  int64_t outer, n, x_row, rows, row;
};

// Gathers the first columns, as many as this is the fast way for, and returns how many those are; −1 if an
// entry read is outside [0, n), y being partly written then. uint32_t and uint64_t.
template <class E>
int64_t gather_columns(const Gathered& shape, const E* x, const int64_t* index, E* y);

}  // namespace tapegrad::kernels
