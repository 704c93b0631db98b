#pragma once

#include <cstdio>
#include <string>

#include "autograd/export.h"
#include "autograd/tape.h"
#include "autograd/tensor.h"

namespace tapegrad {

// A tensor as nested lists, long ones with the middle left out, and its dtype and shape.
TAPEGRAD_API std::string to_string(const Tensor& x);
// The records of a tape, one per line: index, op with options, inputs, outputs with dtype and shape, bytes,
// source.
TAPEGRAD_API std::string to_string(const Tape& tape);
// The gradients by parameter name, with dtype, shape and norm.
TAPEGRAD_API std::string to_string(const Gradients& gradients);

inline void print(const Tensor& x, std::FILE* file = stdout) {
  std::fprintf(file, "%s\n", to_string(x).c_str());
}
inline void print(const Tape& tape, std::FILE* file = stdout) {
  std::fprintf(file, "%s", to_string(tape).c_str());
}
inline void print(const Gradients& gradients, std::FILE* file = stdout) {
  std::fprintf(file, "%s", to_string(gradients).c_str());
}

// The tape as a Graphviz graph: `dot -Tsvg` draws it.
TAPEGRAD_API std::string to_dot(const Tape& tape);

}  // namespace tapegrad
