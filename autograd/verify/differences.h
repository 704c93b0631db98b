#pragma once

// The differences of one line, as sharp as they can be had. Internal, not installed.

#include <span>

#include "autograd/verify/line.h"
#include "autograd/verify/verdict.h"

namespace tapegrad::verify {

// When bars are sharp, as parts of the tolerance.
struct Effort {
  double tolerance;
  double early;   // a bar this sharp ends the search for a sharper one,
  double enough;  // and one this sharp spares the slow way
  // A direction's derivative may be small by chance: it counts as at least this part of its typical size.
  double typical = 0;
  // How much larger the product of all inputs is than the largest of them.
  double products = 1;
};

class Differences {
 public:
  // `scales`: from which steps derive, tried in this order. `largest_input`: max|x| over all inputs.
  Differences(Line& line, std::span<const double> scales, double largest_input, Effort effort)
      : line_(line), scales_(scales), largest_input_(largest_input), effort_(effort) {}

  // Fills in what differences say, one for each φ of the line; the gradients are known.
  void settle(Evidence* evidence);

 private:
  void find(Evidence* evidence);
  void take(double scale, int levels, Evidence* evidence);
  bool sharp(double part, const Evidence* evidence) const;
  bool sharp_at(int q, double part, const Evidence* evidence) const;
  // True if a kink or a jump at the point is why bars are not sharp: ever smaller steps would not help.
  bool bends(const Evidence* evidence);
  void measure(Evidence* evidence);
  void count_lost(Evidence* evidence);
  void look_for_cancelling(int q, Evidence* evidence);
  void take_masses(Evidence& evidence, int q) const;

  Line& line_;
  std::span<const double> scales_;
  double largest_input_;
  Effort effort_;
  bool measured_ = false;
  bool looked_ = false;
  Sides sides_[Line::kMost];
  double sigma_[Line::kMost] = {};  // of one value of each φ; −1: not seen
};

}  // namespace tapegrad::verify
