#pragma once

#include <string>
#include <vector>

namespace tapegrad::bench {

struct Outcome {
  int status = -1;               // what it exited with; −1 where it did not start or was killed
  double seconds = 0;            // as time passes
  double processor_seconds = 0;  // of it and its children
  std::string output;            // of its standard output
};

// Runs a program to its end.
Outcome run_program(std::vector<std::string> arguments);

}  // namespace tapegrad::bench
