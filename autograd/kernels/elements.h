#pragma once

// What the kernels of an index share. Internal, not installed.

#include <atomic>
#include <cstdint>

#include "autograd/kernels/index.h"
#include "autograd/kernels/walk.h"

namespace tapegrad::kernels {

inline constexpr int64_t kEntries = 512;  // read twice, to look whether they are inside and to follow them

// The first place outside that any thread met.
class Outside {
 public:
  void at(int64_t place) {
    int64_t first = first_.load(std::memory_order_relaxed);
    while (place < first && !first_.compare_exchange_weak(first, place, std::memory_order_relaxed)) {
    }
  }
  int64_t first() const {
    const int64_t first = first_.load(std::memory_order_relaxed);
    return first == INT64_MAX ? -1 : first;
  }

 private:
  std::atomic<int64_t> first_{INT64_MAX};
};

// The axes of an index of single elements: those before dim, those from dim on without the last, and the
// last.
struct Axes {
  Axis outer[kMaxAxes], middle[kMaxAxes];
  int outer_rank = 0, middle_rank = 0;
  int64_t outer_size = 1, middle_size = 1;
  int64_t run = 1;       // entries along the last axis
  int64_t run_step = 0;  // of x from one of them to the next
  int64_t dim_step = 0;  // of x along dim
};

inline Axes axes_of(const Elements& s) {
  Axes a;
  const int last = s.rank - 1;
  int64_t dense[kMaxAxes];
  int64_t stride = 1;
  for (int d = last; d >= 0; --d) {
    dense[d] = stride;
    stride *= s.sizes[d];
  }
  a.run = s.sizes[last];
  a.run_step = s.dim == last ? 0 : s.strides[last];
  a.dim_step = s.strides[s.dim];
  for (int d = 0; d < last; ++d) {
    const Axis axis = {s.sizes[d], d == s.dim ? 0 : s.strides[d], dense[d]};
    (d < s.dim ? a.outer[a.outer_rank++] : a.middle[a.middle_rank++]) = axis;
    (d < s.dim ? a.outer_size : a.middle_size) *= axis.size;
  }
  return a;
}

}  // namespace tapegrad::kernels
