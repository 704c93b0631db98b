#pragma once

// How noisy the values of a function are. Internal, not installed.

#include "autograd/verify/line.h"

namespace tapegrad::verify {

// The standard deviation of the rounding errors of each φ near t = 0, into `sigma`, by the difference table
// of seven equally spaced values (ECnoise; Moré & Wild, SIAM J. Sci. Comput. 33, 2011): σ_k² = (k!)²/(2k)! ·
// mean of (Δᵏ)². A φ for which no three orders in a row agree within a factor 4, so that what they see is not
// noise, gets −1. Where the values stand still, wider
// spacings are tried; six evaluations for each of seven at most.
void measure_noise(Line& line, double scale, double* sigma);

}  // namespace tapegrad::verify
