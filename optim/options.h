#pragma once

#include <cstdint>
#include <string_view>

#include "autograd/export.h"
#include "optim/schedule.h"

namespace tapegrad::optim {

// The numbers that an option may be. Options name each of their fields once, with its range:
//   static void fields(auto& self, auto&& f) { f("eps", self.eps, Range::not_negative); }
// Checks, their errors and the table in README.md follow from that.
enum class Range : uint8_t {
  any,           // finite
  not_negative,  // finite, at least 0
  positive,      // finite, above 0
  below_one,     // at least 0, below 1
  at_most_one    // at least 0, at most 1
};

TAPEGRAD_API bool contains(Range range, double x);  // false for NaN
// "at least 0 and below 1".
TAPEGRAD_API std::string_view text(Range range);

// The decays of the means of g and of g². The first may change from step to step, as one_cycle_lr has it.
struct Betas {
  Schedule first = 0.9;
  double second = 0.999;
};

}  // namespace tapegrad::optim
