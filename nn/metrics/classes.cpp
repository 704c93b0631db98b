#include "nn/metrics/classes.h"

#include <cmath>
#include <utility>

#include "autograd/ops.h"
#include "autograd/raise.h"
#include "nn/text.h"

namespace tapegrad::nn {
namespace {

double part(int64_t of, int64_t all) {
  return all == 0 ? 0 : static_cast<double>(of) / static_cast<double>(all);
}

void check_targets(std::string_view metric, const Tensor& predictions, const Tensor& targets) {
  if (targets.dtype() != int64)
    raise<DTypeError>("[{}] expected int64 targets, given {}", metric, describe(targets));
  if (targets.rank() != 1 || predictions.rank() == 0 || predictions.size(0) != targets.size(0)) {
    raise<ShapeError>("[{}] expected targets [n], one for each prediction, given {} for {}", metric,
                      describe(targets), describe(predictions));
  }
}

// Classes as they are, scores by their largest; `classes` is how many the scores must be for (−1: any).
Tensor predicted_classes(std::string_view metric, const Tensor& predictions, const Tensor& targets,
                         int64_t classes) {
  check_targets(metric, predictions, targets);
  if (predictions.rank() == 1 && predictions.dtype() == int64) return predictions;
  if (predictions.rank() != 2 || !is_floating(predictions.dtype()) ||
      (classes >= 0 ? predictions.size(1) != classes : predictions.size(1) < 1)) {
    raise<ShapeError>("[{}] expected scores [n, {}] or int64 classes [n], given {}", metric,
                      classes >= 0 ? std::to_string(classes) : "classes", describe(predictions));
  }
  return argmax(predictions.detach(), 1);
}

void check_class(std::string_view metric, std::string_view what, int64_t c, int64_t classes) {
  if (c < 0 || c >= classes) {
    raise<IndexError>("[{}] expected {} in [0, {}), given {}", metric, what, classes, c);
  }
}

void check_classes(std::string_view metric, std::string_view what, const Tensor& x, int64_t classes) {
  for (int64_t c : x.data<int64_t>()) check_class(metric, what, c, classes);
}

}  // namespace

void Accuracy::update(const Tensor& predictions, const Tensor& targets) {
  const Tensor chosen = predicted_classes("Accuracy", predictions, targets, -1);
  if (predictions.rank() == 2) check_classes("Accuracy", "targets", targets, predictions.size(1));
  const auto guess = chosen.data<int64_t>(), truth = targets.data<int64_t>();
  for (size_t i = 0; i < guess.size(); ++i) right_ += guess[i] == truth[i] ? 1 : 0;
  samples_ += static_cast<int64_t>(guess.size());
}
double Accuracy::value() const { return static_cast<double>(right_) / static_cast<double>(samples_); }

TopKAccuracy::TopKAccuracy(int64_t k) : k_(k) {
  if (k < 1) raise<ArgumentError>("[TopKAccuracy] k must be at least 1, given {}", k);
}

void TopKAccuracy::update(const Tensor& scores, const Tensor& targets) {
  check_targets("TopKAccuracy", scores, targets);
  if (scores.rank() != 2 || !is_floating(scores.dtype()) || scores.size(1) < k_) {
    raise<ShapeError>("[TopKAccuracy] expected scores [n, classes] of at least {} classes, given {}", k_,
                      describe(scores));
  }
  const int64_t classes = scores.size(1);
  check_classes("TopKAccuracy", "targets", targets, classes);
  const Tensor wide = cast(scores.detach(), float64);
  const auto all = wide.data<double>();
  const auto truth = targets.data<int64_t>();
  for (size_t i = 0; i < truth.size(); ++i) {
    const auto row = all.subspan(i * static_cast<size_t>(classes), static_cast<size_t>(classes));
    const auto target = static_cast<size_t>(truth[i]);
    // What stands before the target when the scores are sorted.
    int64_t before = 0;
    for (size_t c = 0; c < row.size(); ++c) {
      const bool higher = std::isnan(row[c]) ? !std::isnan(row[target]) : row[c] > row[target];
      const bool equal = row[c] == row[target] || (std::isnan(row[c]) && std::isnan(row[target]));
      before += higher || (equal && c < target) ? 1 : 0;
    }
    right_ += before < k_ ? 1 : 0;
  }
  samples_ += static_cast<int64_t>(truth.size());
}
double TopKAccuracy::value() const { return static_cast<double>(right_) / static_cast<double>(samples_); }

ConfusionMatrix::ConfusionMatrix(int64_t classes) : classes_(classes) {
  if (classes < 1) raise<ArgumentError>("[ConfusionMatrix] expected at least one class, given {}", classes);
  reset();
}

void ConfusionMatrix::reset() {
  samples_ = 0;
  counts_.assign(static_cast<size_t>(classes_ * classes_), 0);
}

void ConfusionMatrix::update(const Tensor& predictions, const Tensor& targets) {
  const Tensor chosen = predicted_classes("ConfusionMatrix", predictions, targets, classes_);
  check_classes("ConfusionMatrix", "predictions", chosen, classes_);
  check_classes("ConfusionMatrix", "targets", targets, classes_);
  const auto guess = chosen.data<int64_t>(), truth = targets.data<int64_t>();
  for (size_t i = 0; i < guess.size(); ++i) ++cell(truth[i], guess[i]);
  samples_ += static_cast<int64_t>(guess.size());
}

int64_t ConfusionMatrix::count(int64_t target, int64_t prediction) const {
  check_class("ConfusionMatrix", "a target", target, classes_);
  check_class("ConfusionMatrix", "a prediction", prediction, classes_);
  return counts_[static_cast<size_t>(target * classes_ + prediction)];
}

Tensor ConfusionMatrix::counts() const { return from_vector(counts_, {classes_, classes_}); }

double ConfusionMatrix::accuracy() const {
  int64_t right = 0;
  for (int64_t c = 0; c < classes_; ++c) right += count(c, c);
  return static_cast<double>(right) / static_cast<double>(samples_);
}

int64_t ConfusionMatrix::support(int64_t c) const {
  check_class("ConfusionMatrix", "a class", c, classes_);
  int64_t total = 0;
  for (int64_t k = 0; k < classes_; ++k) total += count(c, k);
  return total;
}
int64_t ConfusionMatrix::predicted(int64_t c) const {
  check_class("ConfusionMatrix", "a class", c, classes_);
  int64_t total = 0;
  for (int64_t k = 0; k < classes_; ++k) total += count(k, c);
  return total;
}

double ConfusionMatrix::precision(int64_t c) const {
  const int64_t all = predicted(c);
  return part(count(c, c), all);
}
double ConfusionMatrix::recall(int64_t c) const {
  const int64_t all = support(c);
  return part(count(c, c), all);
}
double ConfusionMatrix::f1(int64_t c) const {
  const int64_t all = predicted(c) + support(c);
  return part(2 * count(c, c), all);
}

double ConfusionMatrix::macro(double (ConfusionMatrix::*metric)(int64_t) const) const {
  double total = 0;
  for (int64_t c = 0; c < classes_; ++c) total += (this->*metric)(c);
  return total / static_cast<double>(classes_);
}

std::string to_string(const ConfusionMatrix& matrix, std::span<const std::string> names) {
  const int64_t classes = matrix.classes();
  if (!names.empty() && static_cast<int64_t>(names.size()) != classes) {
    raise<ArgumentError>("[ConfusionMatrix] expected {} names of classes, given {}", classes, names.size());
  }
  std::vector<std::vector<std::string>> lines(1);
  lines[0] = {"target"};
  const auto name_of = [&](int64_t c) {
    return names.empty() ? std::to_string(c) : names[static_cast<size_t>(c)];
  };
  for (int64_t c = 0; c < classes; ++c) lines[0].push_back(name_of(c));
  for (const char* head : {"precision", "recall", "F1"}) lines[0].emplace_back(head);
  for (int64_t t = 0; t < classes; ++t) {
    std::vector<std::string>& line = lines.emplace_back(1, name_of(t));
    for (int64_t c = 0; c < classes; ++c) line.push_back(std::to_string(matrix.count(t, c)));
    for (double value : {matrix.precision(t), matrix.recall(t), matrix.f1(t)})
      line.push_back(fmt::format("{:.4f}", value));
  }
  std::vector<std::string>& last = lines.emplace_back(static_cast<size_t>(classes) + 1);
  last[0] = "macro";
  for (double value : {matrix.macro_precision(), matrix.macro_recall(), matrix.macro_f1()})
    last.push_back(fmt::format("{:.4f}", value));
  return columns(lines, 1);
}

}  // namespace tapegrad::nn
