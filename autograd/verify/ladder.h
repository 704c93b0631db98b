#pragma once

// Derivatives by extrapolated central differences, with an error bar. Internal, not installed.

#include <cmath>
#include <cstdint>
#include <span>

#include "autograd/verify/line.h"

namespace tapegrad::verify {

inline constexpr double kSafety = 8;  // κ

// A derivative, and the parts of its error: what the levels of extrapolation leave open, and the rounding
// noise that they carry.
struct Rung {
  double value = 0;
  double truncation = INFINITY;
  double roundoff = INFINITY;
  double narrowest = 0;  // step that it is made of
  bool finite = false;
};

// The powers of the step that the errors of quotients go with: 2, 4, 6, … or 1, 3, 5, ….
enum class Powers : uint8_t { even = 2, odd = 1 };

// The best entry of Richardson's table over quotients at steps h, h/ratio, h/ratio², …, by Ridders' criterion
// (Adv. Eng. Software 4, 1982): the difference to its two parents plus the noise. `noise` is the error of one
// value of φ.
Rung extrapolate(std::span<const double> quotients, double h, double ratio, double noise,
                 Powers powers = Powers::even);

struct Estimate {
  double value = 0;
  double bar = INFINITY;
  double step = 0;       // the widest
  double narrowest = 0;  // that the value is made of
  double mass = 0;       // of the line, when the noise was taken from it
  bool finite = false;
};

// κ·[truncation + round-off + how far they differ] of two ladders with unrelated steps, from h0 and from
// 0.34375·h0, for each φ of the line into `to`. h0 = 2^(⌊log₂ scale⌋ − 5). 4·levels evaluations. `noise`: of
// one value of each φ; null: 2u·mass. `carried`: what comes on top.
// Rule: bend
// A kink closer to the point than the steps leaves no trace in central quotients: they are the mean of two
// slopes. So half of what remains of the gap between the two sides at step 0 is part of the bar: nothing for
// a smooth function, and exactly the error where all steps reach across a kink.
void central(Line& line, double scale, int levels, const double* noise, const double* carried, Estimate* to);

// One ladder of eleven steps in ratio 3, from scale/8·3⁻³ down to scale/8·3⁻¹³: a second opinion. For φ_q.
Estimate fine_ladder(Line& line, double scale, int q, double carried);

}  // namespace tapegrad::verify
