#pragma once

// Rules that hold for the gradient of every function, checked without differences and nearly exactly.
// Internal, not installed.

#include "autograd/verify/builder.h"
#include "autograd/verify/subject.h"

namespace tapegrad::verify {

// Adds a fault to the report for each rule that is broken:
//   two runs give the same bits, recorded or not, and so do two sweeps, also with NaN in the memory that the
//     second one is given;
//   a gradient has the shape and dtype of its input;
//   inputs, outputs and cotangents are the same after a sweep;
//   a cotangent of 0 gives 0, and the gradient is linear in the cotangent within 256u;
//   the derivative of the gradient by a cotangent of 0 is the derivative of the function;
//   a differentiable sweep gives the same bits;
//   an input tracked alone has the same gradient as beside the others;
//   one tensor given as two inputs has the sum of their gradients.
void check_structure(Subject& subject, uint64_t seed, ReportBuilder& report);

}  // namespace tapegrad::verify
