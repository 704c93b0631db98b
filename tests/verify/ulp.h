#pragma once

// How far off the ops are, against MPFR. One row for each op, set of options and dtype.
//
// float64 results are measured against MPFR at hard and random points. float32 results of one operand are
// measured against the op's own float64 kernel on the same numbers, over all 2³² of them where `exhaustive`.
// The chain holds because the float64 kernel, off by at most b units of 2⁻⁵², is off by b·2⁻²⁹ units of
// float32 (less where the result is denormal), and this is added to what was found, except where b ≤ ½: a
// correctly rounded float64 lies on the same side of every midpoint of floats as the exact result, so it
// cannot make ½ look like more. b is itself held against MPFR, but at points, so an error that both kernels
// share might hide between them: float32 is therefore also measured against MPFR directly, at points of its
// own. Op and float64 reference see the same options, numbers among them rounded to float32.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "autograd/op.h"

namespace tapegrad::verify {

struct UlpRow {
  std::string op;
  std::string options;
  DType dtype = DType::float32;
  double error = 0;      // the largest found; infinite for a wrong NaN, pole or sign
  double bound = 0;      // as stated, in the same units; 0: not stated
  bool needed = true;    // false: no bound has to be stated
  std::string at{};      // where the largest error is
  std::string target{};  // the vector target that it was found on
  int64_t inputs = 0;
  double seconds = 0;
  std::string fault{};  // why nothing could be measured

  bool ok() const { return fault.empty() && (bound > 0 ? error <= bound : !needed); }
  std::string verdict() const;
};

struct UlpOptions {
  bool exhaustive = false;
  std::string filter = ".";  // only ops whose name matches this regular expression
  int threads = 1;
  bool progress = false;                      // on standard error, where that is a terminal
  std::function<void(const UlpRow&)> report;  // sees each row as it is ready
};

// Pointwise ops of one or two floating operands that state a bound, or need to: those with a VJP and one
// operand.
std::vector<UlpRow> measure_ulp(const UlpOptions& options, std::span<const Op* const> ops = all_ops());

// sum, mean and dot of up to 10⁶ numbers, 10⁸ where `exhaustive`, in units of u·Σ|x|, u = 2⁻²⁴ or 2⁻⁵³; the
// bound is log₂ n + 8.
std::vector<UlpRow> measure_sums(const UlpOptions& options);

}  // namespace tapegrad::verify
