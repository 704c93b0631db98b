#include "autograd/verify/noise.h"

#include <algorithm>
#include <cmath>

namespace tapegrad::verify {
namespace {

constexpr int kPoints = 7;

// −1: no noise is seen; the values are smooth, constant or not finite at this spacing.
double table_noise(const double* values) {
  double delta[kPoints];
  std::copy(values, values + kPoints, delta);
  double sigma[kPoints];
  double factor = 1;  // (k!)²/(2k)!
  int zeros = 0;
  for (int k = 1; k < kPoints; ++k) {
    factor *= static_cast<double>(k) / (2.0 * (2 * k - 1));
    double squares = 0;
    for (int i = 0; i < kPoints - k; ++i) {
      delta[i] = delta[i + 1] - delta[i];
      if (k == 1 && delta[i] == 0) ++zeros;
      squares += delta[i] * delta[i];
    }
    sigma[k] = std::sqrt(factor * squares / (kPoints - k));
    if (!std::isfinite(sigma[k])) return -1;
  }
  if (2 * zeros >= kPoints - 1) return -1;  // the values stand still: the spacing is too small
  for (int k = 1; k + 2 < kPoints; ++k) {
    const auto [low, high] = std::minmax({sigma[k], sigma[k + 1], sigma[k + 2]});
    if (low > 0 && high <= 4 * low) return sigma[k];
  }
  return -1;
}

}  // namespace

void measure_noise(Line& line, double scale, double* sigma) {
  std::fill_n(sigma, line.count(), -1.0);
  for (double spacing : {0x1p-44, 0x1p-40, 0x1p-36, 0x1p-32, 0x1p-26, 0x1p-20, 0x1p-14}) {
    double values[Line::kMost][kPoints] = {};  // the middle one is φ(0) = 0
    for (int i = 0; i < kPoints; ++i) {
      if (i == kPoints / 2) continue;
      const Line::Point point = line.at(static_cast<double>(i - kPoints / 2) * spacing * scale);
      for (int q = 0; q < line.count(); ++q) values[q][i] = point.phi[q];
    }
    bool all = true;
    for (int q = 0; q < line.count(); ++q) {
      if (sigma[q] < 0) sigma[q] = table_noise(values[q]);
      all &= sigma[q] >= 0;
    }
    if (all) return;
  }
}

}  // namespace tapegrad::verify
