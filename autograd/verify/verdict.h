#pragma once

// How a derivative by the tape and one by differences become a verdict. Every rule here that lets a
// disagreement pass is as narrow as it can be. Internal, not installed.

#include "autograd/gradcheck.h"
#include "autograd/verify/ladder.h"
#include "autograd/verify/line.h"

namespace tapegrad::verify {

// What is known of one derivative.
struct Evidence {
  double gradient;      // by the tape
  Estimate difference;  // by differences
  double typical;       // size of a derivative of this kind: max|g|, or √Σ(g·v)² along a direction
  double moved_mass;    // Σ|c·f| over the outputs that moved
  double natural;       // the same, with f no smaller than the inputs: terms of that size may have cancelled
  double whole_mass;    // Σ|c·f| over all of them
  double whole_weight;  // Σ|c| over all of them
  double scale;         // of the point: a step that would change everything
  double carried = 0;   // error of one value of φ by the rounding of the inputs, where several are moved
  double lost = 0;      // what outputs may hide that are too large to show how they move

  // What bars are measured against.
  double size() const;
  // How far apart the two may be: the bar, and what the rounding of the sweep explains.
  double radius() const;
};

// agree, agree_zero, disagree, noisy or nonfinite.
Verdict compare(const Evidence& evidence, double tolerance);

// What the one-sided quotients of one φ at six steps say about the point.
struct Sides {
  bool kink = false;  // they differ by an amount that does not shrink with the step
  bool jump = false;  // φ(h) − φ(−h) does not shrink with the step
  // The one-sided derivatives, with their errors. At a jump those of the sides that are continuous at the
  // point; without one, everything.
  double low = 0;
  double high = 0;
};
// Looks at both sides of the point, at steps from scale·2⁻⁸ to scale·2⁻²³; 12 evaluations. Fills one for each
// φ.
void look_at_sides(Line& line, double scale, Sides* to);

// Gathers what the later rules need when one of them first asks, for all φ of a line.
class Court {
 public:
  Court(Line& line, double scale, double tolerance) : line_(line), scale_(scale), tolerance_(tolerance) {}

  // `evidence` about φ_q after all rules: a disagreement is a kink where the sides say so, and no
  // disagreement where a finer ladder contradicts the first one and agrees; what is noisy may be a kink or a
  // jump. A verdict by the finer ladder replaces the difference in `evidence`.
  Verdict judge(int q, Evidence& evidence);

 private:
  const Sides& sides(int q);

  Line& line_;
  double scale_;
  double tolerance_;
  bool looked_ = false;
  Sides sides_[Line::kMost];
  bool second_[Line::kMost] = {};
  Estimate fine_[Line::kMost];
};

// True if the gradient is further from the difference than the bars of both explain. What fails otherwise
// (too noisy to tell, a jump, a pole) is not decided.
bool refuted(Verdict verdict);

// True for a verdict that passes because of the point and not because the gradient agrees: what is beside
// that point may be wrong and is to be looked at by itself.
bool excused(Verdict verdict);

// True if the verdict passes where `expected` may be met.
bool passes(Verdict verdict, const Expected& expected);

}  // namespace tapegrad::verify
