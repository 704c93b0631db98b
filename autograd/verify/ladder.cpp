#include "autograd/verify/ladder.h"

#include <algorithm>

namespace tapegrad::verify {
namespace {

constexpr size_t kMostLevels = 12;

// A ladder of the line: the quotients of every φ at h, h/ratio, ….
struct Quotients {
  Quotients(Line& line, double h, double ratio, size_t levels) : levels(levels) {
    for (size_t k = 0; k < levels; ++k, h /= ratio) {
      const Line::Point up = line.at(h), down = line.at(-h);
      for (int q = 0; q < line.count(); ++q) {
        of[q][k] = (up.phi[q] - down.phi[q]) / (up.t - down.t);
        gap[q][k] = up.phi[q] / up.t - down.phi[q] / down.t;
      }
    }
  }
  std::span<const double> operator[](int q) const { return {of[q], levels}; }
  // Of φ_q: how far apart the slopes of the two sides are as the step goes to 0.
  double bend(int q, double h, double ratio, double noise) const {
    return std::fabs(extrapolate({gap[q], levels}, h, ratio, 2 * noise, Powers::odd).value);
  }

  size_t levels;
  double of[Line::kMost][kMostLevels];
  double gap[Line::kMost][kMostLevels];  // right minus left
};

}  // namespace

Rung extrapolate(std::span<const double> quotients, double h, double ratio, double noise, Powers powers) {
  double table[kMostLevels][kMostLevels];
  double weights[kMostLevels][kMostLevels];  // Σ|w|/h of each entry, for the noise it carries
  Rung best;
  bool finite = true;
  for (size_t k = 0; k < quotients.size(); ++k, h /= ratio) {
    table[k][0] = quotients[k];
    weights[k][0] = 1 / h;
    finite &= std::isfinite(quotients[k]);
    double power = powers == Powers::even ? 1 : 1 / ratio;
    for (size_t j = 1; j <= k; ++j) {
      power *= ratio * ratio;
      table[k][j] = (power * table[k][j - 1] - table[k - 1][j - 1]) / (power - 1);
      weights[k][j] = (power * weights[k][j - 1] + weights[k - 1][j - 1]) / (power - 1);
      const double truncation =
          std::max(std::fabs(table[k][j] - table[k][j - 1]), std::fabs(table[k][j] - table[k - 1][j - 1]));
      const double roundoff = noise * weights[k][j];
      if (truncation + roundoff < best.truncation + best.roundoff) {
        best = {table[k][j], truncation, roundoff, h, true};
      }
    }
  }
  best.finite &= finite;
  return best;
}

void central(Line& line, double scale, int levels, const double* noise, const double* carried, Estimate* to) {
  constexpr double kSecond = 0.34375;
  const double h = std::ldexp(1.0, static_cast<int>(std::floor(std::log2(scale))) - 5);
  const auto count = static_cast<size_t>(levels);
  const Quotients first(line, h, 2, count), second(line, kSecond * h, 2, count);
  for (int q = 0; q < line.count(); ++q) {
    const double error = (noise != nullptr ? noise[q] : 2 * kUnit * line.mass(q)) + carried[q];
    const Rung a = extrapolate(first[q], h, 2, error);
    const Rung b = extrapolate(second[q], kSecond * h, 2, error);
    to[q] = {};
    to[q].step = h;
    to[q].mass = line.mass(q);
    to[q].finite = a.finite && b.finite;
    if (!to[q].finite) continue;
    to[q].value = a.truncation + a.roundoff <= b.truncation + b.roundoff ? a.value : b.value;
    to[q].narrowest = std::min(a.narrowest, b.narrowest);
    const double bend = std::max(first.bend(q, h, 2, error), second.bend(q, kSecond * h, 2, error));
    to[q].bar = kSafety * (std::max(a.truncation, b.truncation) + std::max(a.roundoff, b.roundoff) +
                           std::fabs(a.value - b.value)) +
                0.5 * bend;
  }
}

Estimate fine_ladder(Line& line, double scale, int q, double carried) {
  const double h = scale / 8 / 27;
  const Quotients quotients(line, h, 3, 11);
  const double noise = 2 * kUnit * line.mass(q) + carried;
  const Rung rung = extrapolate(quotients[q], h, 3, noise);
  Estimate estimate;
  estimate.value = rung.value;
  const double bend = quotients.bend(q, h, 3, noise);
  if (rung.finite) estimate.bar = kSafety * (rung.truncation + rung.roundoff) + 0.5 * bend;
  estimate.step = h;
  estimate.narrowest = rung.narrowest;
  estimate.mass = line.mass(q);
  estimate.finite = rung.finite;
  return estimate;
}

}  // namespace tapegrad::verify
