#pragma once

#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/export.h"
#include "autograd/tensor.h"

// Metrics of classes, batch by batch: update() as often as there are batches, then value(). A prediction is
// scores [n, classes], of which the largest counts (the first of several, and a NaN is the largest), or the
// classes themselves, int64 [n]; targets are int64 [n]. update() throws ShapeError, DTypeError, or IndexError
// for a class that there is not, and has then counted nothing.

namespace tapegrad::nn {

// The part of the samples whose target is among the k highest scores. Equal scores count in the order of
// their classes, and a NaN as the highest.
class TAPEGRAD_API TopKAccuracy {
 public:
  // Throws ArgumentError for k < 1.
  explicit TopKAccuracy(int64_t k);

  // scores [n, classes] with at least k classes.
  void update(const Tensor& scores, const Tensor& targets);
  // NaN before the first sample.
  double value() const;
  int64_t samples() const { return samples_; }
  void reset() { right_ = samples_ = 0; }

 private:
  int64_t k_, right_ = 0, samples_ = 0;
};

// The part of the samples whose prediction is their target.
class TAPEGRAD_API Accuracy {
 public:
  void update(const Tensor& predictions, const Tensor& targets);
  // NaN before the first sample.
  double value() const;
  int64_t samples() const { return samples_; }
  void reset() { right_ = samples_ = 0; }

 private:
  int64_t right_ = 0, samples_ = 0;
};

// How often each class was taken for each: counts, and what follows from them. A ratio without anything to
// divide by is 0, as in scikit-learn.
class TAPEGRAD_API ConfusionMatrix {
 public:
  // Throws ArgumentError for classes < 1.
  explicit ConfusionMatrix(int64_t classes);

  void update(const Tensor& predictions, const Tensor& targets);
  void reset();

  int64_t classes() const { return classes_; }
  int64_t samples() const { return samples_; }
  // Samples of class `target` that were taken for `prediction`. Throws IndexError.
  int64_t count(int64_t target, int64_t prediction) const;
  // int64 [classes, classes]: rows are targets, columns predictions.
  Tensor counts() const;

  // NaN before the first sample.
  double accuracy() const;
  // Of what was taken for the class, the part that is of it; throws IndexError, as the next two.
  double precision(int64_t c) const;
  // Of the class, the part that was found.
  double recall(int64_t c) const;
  // 2·precision·recall/(precision + recall).
  double f1(int64_t c) const;
  // How many samples of the class there were.
  int64_t support(int64_t c) const;
  // The means over the classes.
  double macro_precision() const { return macro(&ConfusionMatrix::precision); }
  double macro_recall() const { return macro(&ConfusionMatrix::recall); }
  double macro_f1() const { return macro(&ConfusionMatrix::f1); }

 private:
  int64_t& cell(int64_t target, int64_t prediction) {
    return counts_[static_cast<size_t>(target * classes_ + prediction)];
  }
  int64_t predicted(int64_t c) const;
  double macro(double (ConfusionMatrix::*metric)(int64_t) const) const;

  int64_t classes_, samples_ = 0;
  std::vector<int64_t> counts_;
};

// The matrix with precision, recall and F1 of each class, by these names (none: their numbers), and the macro
// means below. Throws ArgumentError unless there is a name for each class.
TAPEGRAD_API std::string to_string(const ConfusionMatrix& matrix, std::span<const std::string> names = {});
inline void print(const ConfusionMatrix& matrix, std::FILE* file = stdout) {
  std::fprintf(file, "%s", to_string(matrix).c_str());
}

}  // namespace tapegrad::nn
