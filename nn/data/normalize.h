#pragma once

#include "autograd/arg.h"
#include "autograd/export.h"
#include "autograd/parameter.h"

namespace tapegrad::nn {

// (x − mean)/std of each feature, with the mean and standard deviation of a training set: a layer, so that it
// can stand first in a network and is saved with it. No gradient reaches its numbers.
struct TAPEGRAD_API Normalize {
  Buffer mean, std;  // of the shape and dtype of one sample

  // From inputs [n, …], n ≥ 1, float32 or float64. A feature that never changes has std 1. Throws ShapeError
  // or DTypeError.
  explicit Normalize(const Tensor& inputs);

  // x [batch, …] or one sample.
  Tensor operator()(const Arg& x) const;

  static void fields(auto& self, auto&& f) {
    f("mean", self.mean);
    f("std", self.std);
  }
};

}  // namespace tapegrad::nn
