#include "optim/line_search.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tapegrad::optim::detail {
namespace {

constexpr double kDecrease = 1e-4;   // c1, of the first Wolfe condition
constexpr double kCurvature = 0.9;   // c2, of the second
constexpr int kMaxEvaluations = 25;  // after the first

}  // namespace

double cubic_interpolate(const Point& a, const Point& b, double low, double high) {
  const double d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.step - b.step);
  const double square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0)) return (low + high) / 2;
  const double d2 = std::sqrt(square);
  const Point &near = a.step <= b.step ? a : b, &far = a.step <= b.step ? b : a;
  const double at =
      far.step - (far.step - near.step) * ((far.slope + d2 - d1) / (far.slope - near.slope + 2 * d2));
  return std::min(std::max(at, low), high);
}

LineResult strong_wolfe(Line& line, double first, const Point& start, double longest,
                        double tolerance_change) {
  auto decreases = [&](const Point& p) { return !(p.loss > start.loss + kDecrease * p.step * start.slope); };
  auto is_flat = [&](const Point& p) { return std::abs(p.slope) <= -kCurvature * start.slope; };
  Point previous = start, now = line.at(first);
  int evaluations = 1, tries = 0;
  Point bracket[2];
  bool done = false, found = false;
  // Go on until the minimum is behind.
  for (; tries < kMaxEvaluations && !found; ++tries) {
    if (!decreases(now) || (tries > 1 && now.loss >= previous.loss) || (!is_flat(now) && now.slope >= 0)) {
      bracket[0] = previous;
      bracket[1] = now;
      found = true;
      break;
    }
    if (is_flat(now)) {
      bracket[0] = bracket[1] = now;
      found = done = true;
      break;
    }
    const double low = now.step + 0.01 * (now.step - previous.step), high = now.step * 10;
    const double step = cubic_interpolate(previous, now, low, high);
    previous = std::exchange(now, line.at(step));
    ++evaluations;
  }
  if (!found) {
    bracket[0] = start;
    bracket[1] = now;
  }
  // Draw the bracket together. `low` is the better end.
  int low = bracket[0].loss <= bracket[1].loss ? 0 : 1;
  bool stuck = false;
  while (!done && tries < kMaxEvaluations) {
    if (std::abs(bracket[1].step - bracket[0].step) * longest < tolerance_change) break;
    const double left = std::min(bracket[0].step, bracket[1].step),
                 right = std::max(bracket[0].step, bracket[1].step);
    double step = cubic_interpolate(bracket[0], bracket[1], left, right);
    // Twice close to an end, or on it: a tenth away from it instead.
    const double margin = 0.1 * (right - left);
    if (std::min(right - step, step - left) < margin) {
      const bool move = stuck || step >= right || step <= left;
      if (move) step = std::abs(step - right) < std::abs(step - left) ? right - margin : left + margin;
      stuck = !move;
    } else {
      stuck = false;
    }
    now = line.at(step);
    ++evaluations;
    ++tries;
    if (!decreases(now) || now.loss >= bracket[low].loss) {
      bracket[1 - low] = now;
      low = bracket[0].loss <= bracket[1].loss ? 0 : 1;
      continue;
    }
    if (is_flat(now)) {
      done = true;
    } else if (now.slope * (bracket[1 - low].step - bracket[low].step) >= 0) {
      bracket[1 - low] = bracket[low];
    }
    bracket[low] = now;
  }
  return {std::move(bracket[low]), evaluations};
}

}  // namespace tapegrad::optim::detail
