#pragma once

#include <cstdint>

#include "autograd/export.h"
#include "autograd/tensor.h"

// Metrics of numbers, batch by batch: predictions and targets are float32 or float64 of one shape, nothing is
// broadcast. Sums are taken in float64. update() throws ShapeError or DTypeError and has then counted
// nothing.

namespace tapegrad::nn {

// The mean of |prediction − target|.
class TAPEGRAD_API MeanAbsoluteError {
 public:
  void update(const Tensor& predictions, const Tensor& targets);
  // NaN before the first element.
  double value() const;
  int64_t count() const { return count_; }
  void reset() { *this = {}; }

 private:
  double total_ = 0;
  int64_t count_ = 0;
};

// The mean of (prediction − target)².
class TAPEGRAD_API MeanSquaredError {
 public:
  void update(const Tensor& predictions, const Tensor& targets);
  // NaN before the first element.
  double value() const;
  int64_t count() const { return count_; }
  void reset() { *this = {}; }

 private:
  double total_ = 0;
  int64_t count_ = 0;
};

// R² = 1 − Σ(target − prediction)²/Σ(target − mean)² over all elements. The spread of the targets is kept by
// Welford's formula, so that a large mean costs no digits.
class TAPEGRAD_API R2Score {
 public:
  void update(const Tensor& predictions, const Tensor& targets);
  // NaN before the second element. Where all targets are equal: 1 if all predictions are, too, else 0, as in
  // scikit-learn.
  double value() const;
  int64_t count() const { return count_; }
  void reset() { *this = {}; }

 private:
  double residual_ = 0, spread_ = 0, mean_ = 0;
  int64_t count_ = 0;
};

}  // namespace tapegrad::nn
