#pragma once

#include <cstddef>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "autograd/export.h"
#include "autograd/tape.h"

namespace tapegrad {

// One place of a program where a formula loses digits, overflows or has a NaN gradient though an op of the
// library computes the same safely.
struct Advice {
  size_t record;        // on the tape: the last op of the formula
  SourceLine where;     // its line
  std::string message;  // what was found, with the lines of its other ops, and what to write instead
};

// What of the following a tape has recorded, in the order of the records: log(softmax), log(sigmoid),
// log(1 + exp(x)), sqrt(sum(square)), mean(x²) − mean(x)², binary_cross_entropy of a sigmoid, nll_loss of
// log(softmax). Ops that only move elements may stand in between.
TAPEGRAD_API std::vector<Advice> advise(const Tape& tape);

// One line each: "train.cpp:31: log of softmax (train.cpp:30) …".
TAPEGRAD_API std::string to_string(std::span<const Advice> advice);
inline void print(std::span<const Advice> advice, std::FILE* file = stdout) {
  std::fprintf(file, "%s", to_string(advice).c_str());
}

}  // namespace tapegrad
