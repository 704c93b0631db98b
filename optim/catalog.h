#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/export.h"

namespace tapegrad::optim {

// What there is of an optimiser to be shown: in tables, in a list of a program's options.
struct OptionInfo {
  std::string name;
  std::string default_value;
};
struct OptimizerInfo {
  std::string_view name;
  std::string_view formula;  // g: gradient, w: parameter, η: learning rate, λ: weight decay, t: steps
  std::vector<OptionInfo> options;
};

// Every optimiser, in the order of the documentation.
TAPEGRAD_API std::vector<OptimizerInfo> all_optimizers();

}  // namespace tapegrad::optim
