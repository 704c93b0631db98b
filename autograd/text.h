#pragma once

// Words for errors and printouts. Internal, not installed.

#include <string>
#include <string_view>

#include "autograd/error.h"
#include "autograd/op.h"
#include "autograd/tensor.h"

namespace tapegrad {

// "float32[2, 4]".
std::string describe(const detail::Body& body);
TAPEGRAD_API std::string describe(const Tensor& x);  // which nn and optim say too
// " (train.cpp:31)", or nothing when the line is unknown.
TAPEGRAD_API std::string location(const SourceLine& where);
// "a", "weight", or "tensors[3]" for ops that take any number.
std::string operand_name(const Op& op, int i);
// "[1, 2]" of a place in row-major order.
std::string index_text(int64_t place, const Shape& shape);
// "dim=1, keepdim=false".
std::string to_string(OptionsRef options);

}  // namespace tapegrad
