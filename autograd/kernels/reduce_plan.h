#pragma once

// The order in which a reduction walks a dense tensor. Internal, not installed.

#include "autograd/kernels/reduce.h"

namespace tapegrad::kernels {

// The dims in order of memory, neighbours of one kind joined and sizes of 1 left out.
struct Plan {
  struct Dim {
    int64_t size, stride;
    bool reduced;
  };
  explicit Plan(const Reduction& shape);

  Dim dims[16];
  int rank = 0;
};

// Some dims of a tensor, walked in order of memory.
struct Combination {
  int64_t size[8], stride[8];
  int rank = 0;
  int64_t count = 1;

  void push(int64_t size, int64_t stride);
  // In elements, of combination i < count.
  int64_t offset(int64_t i) const {
    if (rank == 1) return i * stride[0];
    int64_t at = 0;
    for (int d = rank - 1; d >= 0; --d) {
      at += i % size[d] * stride[d];
      i /= size[d];
    }
    return at;
  }
};

// Either every result has dense segments of `inner` elements, one for each combination of `reduced`; or
// `inner` results lie side by side and take `rows` rows that lie `row_stride` apart, for each of them.
struct Arrangement {
  explicit Arrangement(const Plan& plan);

  bool innermost_reduced;
  int64_t inner = 1;
  int64_t rows = 1, row_stride = 0;
  Combination kept, reduced;
};

}  // namespace tapegrad::kernels
