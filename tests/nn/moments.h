#pragma once

// Moments of random tensors, and what they may be.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "autograd/tensor.h"

namespace tapegrad::test {

struct Moments {
  double mean = 0, variance = 0, low = 0, high = 0;
};

inline Moments moments(const Tensor& x) {
  const std::vector<double> values = x.to_vector<double>();
  Moments m;
  for (double v : values) m.mean += v;
  m.mean /= static_cast<double>(values.size());
  for (double v : values) m.variance += (v - m.mean) * (v - m.mean);
  m.variance /= static_cast<double>(values.size());
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  m.low = *low;
  m.high = *high;
  return m;
}

// Five standard errors of the mean and of the variance of `count` draws with the given kurtosis.
inline void check_moments(const Moments& m, double mean, double variance, double kurtosis, double count) {
  CHECK(std::fabs(m.mean - mean) <= 5 * std::sqrt(variance / count));
  CHECK(std::fabs(m.variance - variance) <= 5 * variance * std::sqrt((kurtosis - 1) / count));
}

// Uniform in [low, high], most of which is reached.
inline void check_uniform(const Moments& m, double low, double high, double count) {
  const double width = high - low;
  check_moments(m, (low + high) / 2, width * width / 12, 1.8, count);
  CHECK(m.low >= low);
  CHECK(m.high <= high);
  CHECK(m.low <= low + 0.0005 * width);
  CHECK(m.high >= high - 0.0005 * width);
}

}  // namespace tapegrad::test
