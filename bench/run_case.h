#pragma once

// Measures a case: all ways of doing its work in one run, in turn.

#include <string>
#include <vector>

#include "bench/cases.h"
#include "bench/measure.h"

namespace tapegrad::bench {

struct BenchOptions {
  bool quick = false;
  int threads = 1;  // above 1, everything is measured with one thread, too
};

// How a figure stands to its target, given how far the same loop measured twice came apart.
enum class Mark { none, met, within_spread, missed };

struct Judged {
  Ratio ratio{-1, 0};  // to what the target is a multiple of
  Mark mark = Mark::none;
};

// What was measured of one case with one number of threads; times in microseconds, −1 where there is none.
struct CaseResult {
  std::string id;
  int threads = 1;
  double limit_us = -1, eager_us = -1, program_us = -1, peer_us = -1;
  Ratio eager_ratio{-1, 0}, program_ratio{-1, 0};  // to the limit
  Ratio eager_to_peer{-1, 0}, program_to_peer{-1, 0};
  Judged eager, program;  // by their targets
  double aa_spread = 0;
  // With one thread: parts of a step.
  double forward_us = -1, backward_us = -1, update_us = -1;
  double program_forward_us = -1, program_backward_us = -1, program_update_us = -1;
  // With several: how many times faster than with one.
  Ratio limit_speedup{-1, 0}, eager_speedup{-1, 0}, program_speedup{-1, 0}, peer_speedup{-1, 0};
  Mark speedup = Mark::none;  // not below 0.97, and 0.9 of the limit's own
  std::string profile;        // of the program
  double ops = 1, flops = 0, bytes = 0, difference = 0;
  long long allocations_eager = 0, allocations_program = 0;
  long long peak_bytes = -1;  // of the first steps; −1: not known
  long long predicted_bytes = -1, planned_bytes = -1;
};

// Heap in use at once, beyond that of data and parameters, over the first three eager steps. For a process
// that has done nothing else yet.
long long peak_of_first_steps(const std::string& id);

// With one thread, and with options.threads where those are more.
std::vector<CaseResult> run_case(const Case& work, const BenchOptions& options);

}  // namespace tapegrad::bench
