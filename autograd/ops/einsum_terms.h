#pragma once

// The equation of einsum, read. Internal, not installed.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/shape.h"

namespace tapegrad::ops {

// A letter for each dim of a tensor.
using Labels = std::string;

// "ij,jk->ik" for operands of known ranks, with a letter in the place of each dim that an ellipsis stands
// for.
struct Terms {
  std::vector<Labels> operands;
  Labels result;
  std::string error;    // what is wrong with the equation; empty: nothing
  bool misfit = false;  // the equation is well-formed, and the operands' ranks are others
};

// Blanks do not count. Without "->" the result has the dims of the ellipsis and then, in the order of ASCII,
// the letters that occur once. Never throws for a malformed equation.
Terms read_equation(std::string_view equation, std::span<const int> ranks);

// The equation of terms without an ellipsis.
std::string write_equation(std::span<const Labels> operands, std::string_view result);

// The size of each letter over all operands: the one that is not 1, if any.
struct LabelSizes {
  int64_t of[128] = {};  // −1: not there
  int64_t operator[](char label) const { return of[static_cast<unsigned char>(label)]; }
};
// `error` says which operands disagree, and is empty if none do.
LabelSizes label_sizes(const Terms& terms, std::span<const Shape> shapes, std::string& error);

}  // namespace tapegrad::ops
