#pragma once

// A sum of many parts as a binary tree. Internal, not installed.

#include <cstdint>

namespace tapegrad::kernels {

// Adds parts in order; part k goes to the place in a binary tree that the bits of k say, so that no part
// passes through more than log2 of their number additions.
template <class T>
class PairwiseSum {
 public:
  void add(T part) {
    int level = 0;
    for (uint64_t bits = count_++; bits & 1; bits >>= 1) part = levels_[level++] + part;
    levels_[level] = part;
  }
  T total() const {
    T sum{};
    bool any = false;
    int level = 0;
    for (uint64_t bits = count_; bits != 0; bits >>= 1, ++level) {
      if (!(bits & 1)) continue;
      sum = any ? levels_[level] + sum : levels_[level];
      any = true;
    }
    return sum;
  }

 private:
  uint64_t count_ = 0;
  T levels_[64];
};

}  // namespace tapegrad::kernels
