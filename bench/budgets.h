#pragma once

// What the library may cost a program besides the time of its steps: to start, to carry, to compile.

#include <string>
#include <vector>

namespace tapegrad::bench {

struct Budget {
  std::string name;
  std::string unit;
  double most;
  double value;  // −1: could not be measured

  bool required;  // held today: to exceed it is a fault

  bool held() const { return value >= 0 && value <= most; }
};

// Starts programs and the compiler; about ten seconds.
std::vector<Budget> measure_budgets();

}  // namespace tapegrad::bench
