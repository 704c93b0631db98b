#pragma once

#include <cstdint>

#include "autograd/export.h"
#include "autograd/tensor.h"

namespace tapegrad {

// A counter-based generator (Philox4x32-10; Salmon et al., SC 2011): the same seed gives the same numbers on
// every machine and for every thread count.
class TAPEGRAD_API Rng {
 public:
  explicit Rng(uint64_t seed = 0) : seed_(seed) {}

  uint64_t bits();                             // 64 random bits
  double uniform();                            // in [0, 1), 53 bits
  double normal();                             // Gaussian, mean 0, variance 1
  int64_t integer(int64_t low, int64_t high);  // low ≤ result < high; throws ArgumentError if there is none

  Tensor uniform(const Shape& shape, double low = 0, double high = 1, DType dtype = float32);
  Tensor normal(const Shape& shape, DType dtype = float32);  // elements from Gaussian(0, 1)
  Tensor integers(const Shape& shape, int64_t low, int64_t high);
  // 0 … n−1 in random order, int64.
  Tensor permutation(int64_t n);

  // The initial state of a dropout buffer: int64 [seed, counter].
  Tensor state();

  uint64_t seed() const { return seed_; }
  uint64_t counter() const { return counter_; }

 private:
  uint64_t seed_;
  uint64_t counter_ = 0;
};

namespace detail {
// The counter-th pair of 64-bit words under a key.
struct Philox {
  uint64_t word[2];
};
TAPEGRAD_API Philox philox(uint64_t key, uint64_t counter, uint64_t stream);
// Quantile of the standard normal distribution for 0 < p < 1 (Wichura, AS 241, 1988; relative error 1e-16).
TAPEGRAD_API double normal_quantile(double p);
}  // namespace detail

}  // namespace tapegrad
