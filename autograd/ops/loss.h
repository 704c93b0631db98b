#pragma once

// What the losses share. Internal, not installed.

#include <algorithm>
#include <cstdint>
#include <limits>

#include "autograd/apply.h"
#include "autograd/kernels/pairwise.h"
#include "autograd/kernels/parallel.h"

namespace tapegrad::ops {

// Σ part(begin, end) over pieces of [0, n) whose size follows from n and grain alone, added as a binary tree,
// so the bits are the same for any number of threads. The pieces run on any of them.
template <class Part>
double sum_of_pieces(int64_t n, int64_t grain, const Part& part) {
  constexpr int64_t kMostPieces = 256;
  const int64_t grains = (n + grain - 1) / grain;
  const int64_t piece = grain * std::max<int64_t>(1, (grains + kMostPieces - 1) / kMostPieces);
  const int64_t pieces = (n + piece - 1) / piece;
  double parts[kMostPieces];
  kernels::parallel_for(pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) parts[p] = part(p * piece, std::min(n, (p + 1) * piece));
  });
  kernels::PairwiseSum<double> tree;
  for (int64_t p = 0; p < pieces; ++p) tree.add(parts[p]);
  return tree.total();
}

// total / weights, and one NaN for 0/0 on every processor.
inline double weighted_mean(double total, double weights) {
  return total == 0 && weights == 0 ? std::numeric_limits<double>::quiet_NaN() : total / weights;
}

// Writes one number as the 0-d result.
inline void put_result(const Call& call, double value) {
  if (call.dtype(0) == DType::float32) *call.out_data<float>() = static_cast<float>(value);
  else *call.out_data<double>() = value;
}

// One number of a floating operand.
inline double number_of(const Call& call, int i) {
  return call.dtype(i) == DType::float32 ? static_cast<double>(*call.data<float>(i)) : *call.data<double>(i);
}

}  // namespace tapegrad::ops
