#pragma once

#include <cstdint>
#include <optional>

#include "autograd/arg.h"
#include "autograd/export.h"
#include "autograd/parameter.h"
#include "autograd/random.h"

// Layers that need few words.

namespace tapegrad::nn {

// While training, zeroes each element with probability p and scales the rest by 1/(1−p); in eval mode x as it
// is.
struct TAPEGRAD_API Dropout {
  double p;
  mutable Buffer state;  // int64 [seed, counter]; moves on at every call while training
  bool training = true;

  // Throws ArgumentError unless p is in [0, 1].
  Dropout(double p, Rng& rng);
  Tensor operator()(const Arg& x) const;
  static void fields(auto& self, auto&& f) {
    f("p", self.p);
    f("state", self.state);
    f("training", self.training);
  }
};

// Dimensions start_dim to end_dim as one, by default all but the first, which counts samples.
struct TAPEGRAD_API Flatten {
  int64_t start_dim = 1, end_dim = -1;

  Tensor operator()(const Arg& x) const;
  static void fields(auto& self, auto&& f) {
    f("start_dim", self.start_dim);
    f("end_dim", self.end_dim);
  }
};

// A row of the weight for each index: int64 [...] → [..., dim]. Row padding_idx stays as it is: its gradient
// is 0.
struct TAPEGRAD_API Embedding {
  Parameter weight;  // [count, dim], from Gaussian(0, 1); row padding_idx starts with 0
  std::optional<int64_t> padding_idx;

  // Throws ArgumentError unless count and dim are at least 1 and padding_idx is in [0, count).
  Embedding(int64_t count, int64_t dim, Rng& rng, std::optional<int64_t> padding_idx = {},
            DType dtype = float32);
  Tensor operator()(const Arg& index) const;
  static void fields(auto& self, auto&& f) { f("weight", self.weight); }
};

}  // namespace tapegrad::nn
