#pragma once

// What every pointwise op of the op-graph files should give, in 160 bits. The functions are written from
// their definitions and share nothing with the library.

#include <map>
#include <string>
#include <string_view>

#include "autograd/options.h"
#include "tests/verify/real.h"

namespace tapegrad::verify {

// The numbers and choices among an op's options, by name.
class Numbers {
 public:
  explicit Numbers(OptionsRef options);
  Real real(std::string_view name, double otherwise) const;
  std::string_view text(std::string_view name, std::string_view otherwise) const;

 private:
  std::map<std::string, double, std::less<>> numbers_;
  std::map<std::string, std::string, std::less<>> texts_;
};

struct Reference {
  std::string_view name;
  int operands;
  Real (*f)(const Real* x, const Numbers& options);
  bool zero_sign = true;  // false: a zero that stands for a tie of zeros may have either sign
  // True where the terms of the result cancel along a curve: errors are then in units in the last place of
  // the largest operand, where that is larger than the result.
  bool cancels = false;
};

// Null where there is none.
const Reference* find_reference(std::string_view name);

}  // namespace tapegrad::verify
