#pragma once

// The training steps of the benchmark: each the library's step beside the loop written by hand.

#include <string>
#include <vector>

#include "bench/measure.h"

namespace tapegrad::bench {

// What was measured of one case; times in microseconds, −1 where there is none.
struct CaseResult {
  std::string id;
  double limit_us = -1;       // the hand-written loop
  double eager_us = -1;       // the library, recording anew every step
  double ratio = -1;          // eager to limit, median of the ratios within a round
  double ratio_error = 0;     // half the width of its 95 % interval
  double program_us = -1;     // the library, recorded once
  double program_ratio = -1;  // program to limit, as above
  double program_ratio_error = 0;
  double aa_spread = 0;       // how far apart the same loop measured twice came
  double forward_us = -1;     // of eager_us: the forward pass and its recording
  double ops = 1;             // ops in one step, for op-overhead
  double flops = 0;           // of one step
  double weight_gap = 0;      // largest |library − hand-written| weight after one step from equal weights
  long long allocations = 0;  // heap allocations of a step once warm
  long long allocations_program = 0;
  long long peak_bytes = 0;  // heap in use at once above the start, over the first three steps
};

struct BenchOptions {
  bool quick = false;
  int threads = 1;
};

std::vector<std::string> case_names();
// Throws std::invalid_argument for a name that is not a case.
CaseResult run_case(const std::string& id, const BenchOptions& options);

}  // namespace tapegrad::bench
