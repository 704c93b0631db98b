#include "nn/metrics/values.h"

#include <cmath>
#include <vector>

#include "autograd/raise.h"
#include "nn/text.h"

namespace tapegrad::nn {
namespace {

struct Pairs {
  std::vector<double> predictions, targets;
};

std::vector<double> as_doubles(const Tensor& x) {
  if (x.dtype() == float64) return x.to_vector<double>();
  const auto elements = x.data<float>();
  return {elements.begin(), elements.end()};
}

Pairs checked(std::string_view metric, const Tensor& predictions, const Tensor& targets) {
  const DType dtype = predictions.dtype();
  if (!is_floating(dtype) || targets.dtype() != dtype) {
    raise<DTypeError>("[{}] expected predictions and targets of one floating dtype, given {} and {}", metric,
                      describe(predictions), describe(targets));
  }
  if (!(predictions.shape() == targets.shape())) {
    raise<ShapeError>("[{}] expected predictions and targets of one shape, given {} and {}", metric,
                      describe(predictions), describe(targets));
  }
  return {as_doubles(predictions), as_doubles(targets)};
}

}  // namespace

void MeanAbsoluteError::update(const Tensor& predictions, const Tensor& targets) {
  const Pairs pairs = checked("MeanAbsoluteError", predictions, targets);
  for (size_t i = 0; i < pairs.targets.size(); ++i)
    total_ += std::fabs(pairs.predictions[i] - pairs.targets[i]);
  count_ += static_cast<int64_t>(pairs.targets.size());
}
double MeanAbsoluteError::value() const { return total_ / static_cast<double>(count_); }

void MeanSquaredError::update(const Tensor& predictions, const Tensor& targets) {
  const Pairs pairs = checked("MeanSquaredError", predictions, targets);
  for (size_t i = 0; i < pairs.targets.size(); ++i) {
    const double off = pairs.predictions[i] - pairs.targets[i];
    total_ += off * off;
  }
  count_ += static_cast<int64_t>(pairs.targets.size());
}
double MeanSquaredError::value() const { return total_ / static_cast<double>(count_); }

void R2Score::update(const Tensor& predictions, const Tensor& targets) {
  const Pairs pairs = checked("R2Score", predictions, targets);
  for (size_t i = 0; i < pairs.targets.size(); ++i) {
    const double target = pairs.targets[i], off = target - pairs.predictions[i];
    residual_ += off * off;
    const double step = target - mean_;
    mean_ += step / static_cast<double>(++count_);
    spread_ += step * (target - mean_);
  }
}

double R2Score::value() const {
  if (count_ < 2) return NAN;
  if (spread_ == 0) return residual_ == 0 ? 1 : 0;
  return 1 - residual_ / spread_;
}

}  // namespace tapegrad::nn
