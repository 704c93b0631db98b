#include "autograd/verify/verdict.h"

#include <algorithm>
#include <cmath>

namespace tapegrad::verify {

double Evidence::size() const {
  const double d = std::isfinite(gradient) ? std::fabs(gradient) : 0;
  return std::max({d, std::fabs(difference.value), 1e-3 * typical});
}

// Rule: rounding of the sweep
double Evidence::radius() const {
  return difference.bar + lost + 256 * kUnit * std::max(std::fabs(gradient), typical);
}

Verdict compare(const Evidence& e, double tolerance) {
  const bool resolved = e.difference.finite && e.difference.bar <= tolerance * e.size();
  // Rule: nonfinite
  if (!std::isfinite(e.gradient)) return resolved ? Verdict::disagree : Verdict::nonfinite;
  if (!e.difference.finite) return Verdict::nonfinite;
  const double r = e.radius();
  const bool within = std::fabs(e.gradient - e.difference.value) <= r;  // false for NaN
  if (within && r <= tolerance * e.size()) return Verdict::agree;
  // Rule: zero
  // Zero as far as can be resolved: the bar is as narrow as the noise of the widest step allows, which is
  // κ·6.6·2u/0.34375 = 2^−44.7; or, where nothing moves at small steps and something does at wide ones, as
  // that of the narrowest one, 2^−48.3.
  const Estimate& d = e.difference;
  const bool narrow = d.bar <= std::ldexp(e.natural, -42) / d.step ||
                      (d.value == 0 && d.bar <= std::ldexp(e.moved_mass, -48) / d.narrowest);
  const double larger = std::max(std::fabs(e.gradient), std::fabs(d.value));
  // Terms of a gradient that cancel leave rounding errors of their own size, which is that of c·f over the
  // scale.
  if (narrow && larger <= r + 256 * kUnit * e.whole_mass / e.scale) return Verdict::agree_zero;
  // Rule: next to zero
  // Not zero, but next to nothing for values of this size; and within the bar.
  if (narrow && within && larger <= tolerance * e.natural / e.scale) return Verdict::agree_zero;
  // Rule: not sharp
  // What the levels of a ladder leave open is its truncation error only where they converge. So a bar that is
  // not sharp refutes by its tenfold.
  const bool far = !(std::fabs(e.gradient - d.value) <= 10 * r);
  return !within && (resolved || far) ? Verdict::disagree : Verdict::noisy;
}

void look_at_sides(Line& line, double scale, Sides* to) {
  constexpr int kSteps = 6;
  Line::Point up[kSteps], down[kSteps];
  for (int k = 0; k < kSteps; ++k) {
    const double h = std::ldexp(scale, -8 - 3 * k);
    up[k] = line.at(h);
    down[k] = line.at(-h);
  }
  for (int q = 0; q < line.count(); ++q) {
    double mass = 0;
    for (int k = 0; k < kSteps; ++k) mass = std::max({mass, up[k].mass[q], down[k].mass[q]});
    const double noise = 2 * kUnit * mass;
    double right[kSteps], left[kSteps], gap[kSteps], jump[kSteps];
    for (int k = 0; k < kSteps; ++k) {
      right[k] = up[k].phi[q] / up[k].t;
      left[k] = down[k].phi[q] / down[k].t;
      gap[k] = std::fabs(right[k] - left[k]);
      jump[k] = std::fabs(up[k].phi[q] - down[k].phi[q]);
    }
    auto constant = [](const double* from, const double* end) {
      const auto [low, high] = std::minmax_element(from, end);
      return *low >= 0.9 * *high && std::isfinite(*low) && std::isfinite(*high);
    };
    auto bar = [&](int k) { return kSafety * 2 * noise / std::fabs(up[k].t); };
    auto slack = [&](const double* quotient, int last) {
      return bar(last) + std::fabs(quotient[last] - quotient[last - 1]);
    };
    Sides& sides = to[q] = {};
    sides.jump = constant(jump, jump + kSteps) && jump[0] > 100 * noise;
    if (sides.jump) {
      sides.low = INFINITY;
      sides.high = -INFINITY;
      constexpr int kLast = kSteps - 1;
      for (const auto& [points, slope] : {std::pair(up, right), std::pair(down, left)}) {
        if (!(std::fabs(points[kLast].phi[q]) < 1e-3 * jump[kLast])) continue;
        sides.low = std::min(sides.low, slope[kLast] - slack(slope, kLast));
        sides.high = std::max(sides.high, slope[kLast] + slack(slope, kLast));
      }
      if (sides.low > sides.high) std::swap(sides.low, sides.high);
      continue;
    }
    // The steps at which a gap of the widest one's size stands out of the noise, from the widest down.
    int usable = 0;
    while (usable < kSteps && gap[0] > 100 * bar(usable)) ++usable;
    sides.kink = usable >= 4 && constant(gap, gap + usable);
    if (!sides.kink) continue;
    const int last = usable - 1;
    sides.low = std::min(right[last] - slack(right, last), left[last] - slack(left, last));
    sides.high = std::max(right[last] + slack(right, last), left[last] + slack(left, last));
  }
}

const Sides& Court::sides(int q) {
  if (!looked_) look_at_sides(line_, scale_, sides_);
  looked_ = true;
  return sides_[q];
}

Verdict Court::judge(int q, Evidence& e) {
  const Verdict first = compare(e, tolerance_);
  if (first != Verdict::disagree && first != Verdict::noisy) return first;
  if (!std::isfinite(e.gradient)) return first;
  const Sides& s = sides(q);
  const bool between = e.gradient >= s.low && e.gradient <= s.high;
  // Rule: jump
  if (s.jump) {
    const double slack = 10 * (s.high - s.low);
    const bool far = e.gradient < s.low - slack || e.gradient > s.high + slack;
    return between ? Verdict::jump : far ? Verdict::disagree : Verdict::noisy;
  }
  // Rule: kink
  if (s.kink) return between ? Verdict::kink_in : Verdict::kink_out;
  if (first == Verdict::noisy) return first;
  // Rule: second opinion
  // A second opinion counts only if it excludes the first one, holds the gradient, and is sharp.
  if (!second_[q]) fine_[q] = fine_ladder(line_, scale_, q, e.carried);
  second_[q] = true;
  Evidence other = e;
  other.difference = fine_[q];
  const bool disjoint = std::fabs(fine_[q].value - e.difference.value) > fine_[q].bar + e.difference.bar;
  const bool holds = std::fabs(e.gradient - fine_[q].value) <= other.radius();
  if (!fine_[q].finite || !disjoint || !holds || !(fine_[q].bar < 1e-7 * other.size())) return first;
  e = other;
  return Verdict::agree;
}

bool refuted(Verdict verdict) { return verdict == Verdict::disagree || verdict == Verdict::kink_out; }

bool excused(Verdict verdict) {
  return verdict == Verdict::kink_in || verdict == Verdict::jump || verdict == Verdict::nonfinite;
}

bool passes(Verdict verdict, const Expected& expected) {
  switch (verdict) {
    case Verdict::agree:
    case Verdict::agree_zero: return true;
    case Verdict::kink_in: return expected.kinks;
    case Verdict::jump: return expected.jump;
    case Verdict::nonfinite: return expected.nonfinite;
    default: return false;
  }
}

}  // namespace tapegrad::verify
