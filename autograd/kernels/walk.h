#pragma once

// Counting through the index of some axes. Internal, not installed.

#include <cstdint>

namespace tapegrad::kernels {

inline constexpr int kMaxAxes = 8;

// One axis of two arrays: its size, and the step in elements from one index to the next in each.
struct Axis {
  int64_t size, from, to;
};

// Visits the indices of some axes in row-major order, with the offsets in both arrays.
class Walk {
 public:
  // Starts at the index with this place in the order; no size may be 0.
  Walk(const Axis* axes, int rank, int64_t place) : axes_(axes), rank_(rank) {
    for (int d = rank - 1; d >= 0; --d) {
      at_[d] = place % axes[d].size;
      place /= axes[d].size;
      from_ += at_[d] * axes[d].from;
      to_ += at_[d] * axes[d].to;
    }
  }
  int64_t from() const { return from_; }
  int64_t to() const { return to_; }
  void next() {
    for (int d = rank_ - 1; d >= 0; --d) {
      from_ += axes_[d].from;
      to_ += axes_[d].to;
      if (++at_[d] < axes_[d].size) return;
      from_ -= axes_[d].from * axes_[d].size;
      to_ -= axes_[d].to * axes_[d].size;
      at_[d] = 0;
    }
  }

 private:
  const Axis* axes_;
  int rank_;
  int64_t at_[kMaxAxes];
  int64_t from_ = 0, to_ = 0;
};

}  // namespace tapegrad::kernels
