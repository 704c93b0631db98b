#pragma once

// Angles far from 0, for the trigonometric lanes. Internal, not installed.

namespace tapegrad::kernels {

// x = n·π/2 + r + tail with |r| ≤ π/4, n known modulo 4 and r + tail good to 70 bits.
struct QuarterTurns {
  int n;  // 0 to 3
  double r, tail;
};

// Of any finite x with |x| ≥ 2^20; r is NaN for the others that are not finite.
QuarterTurns quarter_turns(double x);

}  // namespace tapegrad::kernels
