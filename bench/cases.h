#pragma once

// The work of the benchmark: each case is the library's step, recorded anew every time and as a program,
// beside the loop written by hand and, where it is linked, another library.

#include <autograd/program.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "bench/peers/peers.h"

namespace tapegrad::bench {

// What a target is a multiple of.
enum class Basis { limit, peer, nanoseconds };
struct Target {
  double most = -1;  // −1: none
  Basis basis = Basis::limit;
};

// A way of doing the work that is not there has no function.
struct Case {
  std::string id;
  Target eager_target, program_target;
  std::function<Candidate(int threads)> limit;
  Candidate eager, program;
  // Parts of them: forward alone, and forward and backward without the update (none where there is no
  // update).
  Candidate forward, gradient, program_forward, program_gradient;
  PeerStep peer;
  double ops = 1;                  // ops in one step, for op-overhead
  double flops = 0, bytes = 0;     // of one step as a program, from the ops' own costs
  double difference = 0;           // the largest from what the hand-written loop computes
  std::string profile;             // of the program, as text
  long long predicted_bytes = -1;  // what `plan` said of the program's memory
  long long planned_bytes = -1;    // what the program then holds
};

std::vector<std::string> case_names();
// What is made of a case: everything, or, in a process that has done nothing yet, its eager step alone, so
// that memory is counted from the first step on.
enum class Parts { all, eager };
// Throws std::invalid_argument for a name that is not a case.
Case make_case(const std::string& id, Parts parts = Parts::all);

// ---- the two kinds ----

std::vector<std::string> net_names();
Case make_net_case(const std::string& id, Parts parts);
Case make_chain_case(Parts parts);
Case make_softmax_case(bool logarithm, Parts parts);
Case make_overhead_case(Parts parts);

// Puts what the program's records cost into the case. Runs it.
void add_cost(Case& result, Program& program, std::span<const Tensor> inputs);

}  // namespace tapegrad::bench
