#include "autograd/verify/differences.h"

#include <algorithm>
#include <cmath>

#include "autograd/verify/ladder.h"
#include "autograd/verify/noise.h"

namespace tapegrad::verify {

void Differences::settle(Evidence* evidence) {
  find(evidence);
  bool outgrown = false;
  for (int q = 0; q < line_.count(); ++q) outgrown |= line_.mass(q) > 1.5 * evidence[q].difference.mass;
  if (outgrown) {
    // Later steps moved what the noise of the first ones did not count.
    for (int q = 0; q < line_.count(); ++q) evidence[q].difference = {};
    find(evidence);
  }
  count_lost(evidence);
  // Values that are small because large terms cancel carry the rounding errors of those.
  for (int q = 0; q < line_.count() && !measured_; ++q) {
    if (compare(evidence[q], effort_.tolerance) != Verdict::disagree) continue;
    measure(evidence);
    find(evidence);
    count_lost(evidence);
  }
  for (int q = 0; q < line_.count(); ++q) look_for_cancelling(q, evidence);
}

// Rule: cancelling
// Where values stand still over most steps, no noise is seen and the bars are too narrow. A disagreement is
// looked at once more as if terms as large as the inputs cancelled, and ends if both are next to 0 for values
// of that size and agree as far as that allows.
void Differences::look_for_cancelling(int q, Evidence* evidence) {
  const Evidence before = evidence[q];
  if (compare(before, effort_.tolerance) != Verdict::disagree) return;
  const double larger = std::max(std::fabs(before.gradient), std::fabs(before.difference.value));
  if (!(larger <= effort_.tolerance * before.natural / before.scale)) return;
  bool told = true;
  // Terms as large as one input, or as the product of several.
  for (double more : {1.0, effort_.products}) {
    sigma_[q] = std::max(sigma_[q], 0.5 * kUnit * before.natural * more);
    // The other φ keeps what was found of it.
    Evidence again[Line::kMost];
    std::copy_n(evidence, line_.count(), again);
    again[q].difference = {};
    find(again);
    Evidence wide = again[q];
    wide.natural *= more;
    if (compare(wide, effort_.tolerance) == Verdict::agree_zero) {
      evidence[q] = wide;
      return;
    }
    told = compare(wide, effort_.tolerance) == Verdict::disagree;
  }
  // What such noise could explain in part is neither right nor wrong.
  if (told) evidence[q] = before;
}

// What one value of each φ may be off by is 2u·mass, or as measured.
void Differences::take(double scale, int levels, Evidence* evidence) {
  double errors[Line::kMost], carried[Line::kMost];
  for (int q = 0; q < line_.count(); ++q) {
    const double assumed = 2 * kUnit * line_.mass(q);
    errors[q] = sigma_[q] < 0 ? assumed : std::max(4 * sigma_[q], 0x1p-6 * assumed);
  }
  for (int q = 0; q < line_.count(); ++q) carried[q] = evidence[q].carried;
  Estimate found[Line::kMost];
  central(line_, scale, levels, measured_ ? errors : nullptr, carried, found);
  for (int q = 0; q < line_.count(); ++q) {
    Estimate& best = evidence[q].difference;
    if (found[q].finite && found[q].bar < best.bar) best = found[q];
  }
}

bool Differences::sharp(double part, const Evidence* evidence) const {
  for (int q = 0; q < line_.count(); ++q) {
    if (!sharp_at(q, part, evidence)) return false;
  }
  return true;
}

bool Differences::sharp_at(int q, double part, const Evidence* evidence) const {
  // Where nothing has moved yet, a wider step may show more.
  if (line_.mass(q) == 0 && evidence[q].gradient != 0) return false;
  const double size = evidence[q].size(), likely = effort_.typical * evidence[q].typical;
  const double limit = std::min(part * std::max(size, likely), std::max(part, 0.1) * size);
  return evidence[q].difference.bar <= effort_.tolerance * limit;
}

bool Differences::bends(const Evidence* evidence) {
  if (!looked_) look_at_sides(line_, evidence[0].scale, sides_);
  looked_ = true;
  for (int q = 0; q < line_.count(); ++q) {
    if (!sides_[q].kink && !sides_[q].jump && !sharp_at(q, effort_.enough, evidence)) return false;
  }
  return true;
}

void Differences::find(Evidence* evidence) {
  double last = 0;
  for (double scale : scales_) {
    if (scale == last) continue;
    last = scale;
    take(scale, 3, evidence);
    if (sharp(effort_.early, evidence)) return;
  }
  if (sharp(effort_.enough, evidence)) return;
  if (bends(evidence)) {
    // A kink at the point, or closer to it than the narrowest steps there are.
    take(scales_[0] * 0x1p-20, 6, evidence);
    return;
  }
  // The slow way: more levels from smaller steps, with the noise as it is measured where it can be.
  measure(evidence);
  for (double shrink : {1.0, 0x1p-4, 0x1p-8, 0x1p-12, 0x1p-16, 0x1p-20}) {
    last = 0;
    for (double scale : scales_) {
      if (scale == last) continue;
      last = scale;
      take(scale * shrink, 6, evidence);
      if (sharp(effort_.enough, evidence)) return;
    }
  }
}

// Rule: measured noise
void Differences::measure(Evidence* evidence) {
  if (measured_) return;
  measure_noise(line_, scales_[0], sigma_);
  measured_ = true;
  for (int q = 0; q < line_.count(); ++q) {
    // What was found on the assumption of less noise than there is does not count.
    if (4 * sigma_[q] > 2 * kUnit * line_.mass(q)) evidence[q].difference = {};
  }
}

void Differences::take_masses(Evidence& e, int q) const {
  e.moved_mass = line_.mass(q);
  const double weight = line_.weight(q) > 0 ? line_.weight(q) : e.whole_weight;
  e.natural = std::max(line_.mass(q), weight * largest_input_);
}

// Rule: hidden
// Outputs that never moved hide derivatives of up to u·|c·f| over the widest step. Where that matters, a step
// far away shows which of them depend on the point at all.
void Differences::count_lost(Evidence* evidence) {
  const double hidden = 2 * kUnit / line_.widest();
  bool matters = false;
  for (int q = 0; q < line_.count(); ++q) {
    Evidence& e = evidence[q];
    take_masses(e, q);
    e.lost = hidden * std::max(0.0, e.whole_mass - e.moved_mass);
    matters |= e.lost > 0.1 * e.difference.bar && e.lost > 1e-3 * effort_.tolerance * e.size();
  }
  if (!matters) return;
  line_.look_far(std::ldexp(line_.widest(), 10));
  for (int q = 0; q < line_.count(); ++q) {
    Evidence& e = evidence[q];
    e.lost = hidden * std::max(0.0, line_.mass(q) - e.moved_mass);
    take_masses(e, q);
  }
}

}  // namespace tapegrad::verify
