#pragma once

#include <string>

#include "examples/trainer/data.h"
#include "examples/trainer/evaluate.h"
#include "examples/trainer/options.h"
#include "examples/trainer/training.h"

namespace trainer {

// How well one class is told from the others: the part of those chosen that are right, the part of those there
// that are found, their harmonic mean.
struct ClassScore {
  double precision = 0, recall = 0, f1 = 0;
  int64_t samples = 0;
};

// How often samples of a class (first) were taken for another (second).
class Confusion {
 public:
  Confusion(size_t classes, const Predictions& predictions);

  size_t classes() const { return classes_; }
  ClassScore score(size_t c) const;
  int64_t operator()(size_t truth, size_t prediction) const { return counts_[truth * classes_ + prediction]; }

 private:
  size_t classes_;
  std::vector<int64_t> counts_;
};

// Precision, recall and F1 of each class and their means; then, for few classes, the confusion matrix.
std::string classes_text(const Confusion& confusion, const std::vector<std::string>& classes);

// What came out, for programs.
std::string json_text(const Options& options, const Data& data, const Outcome& outcome,
                      const Predictions& test, const Confusion& confusion, int64_t parameters,
                      uint64_t fingerprint);

}  // namespace trainer
