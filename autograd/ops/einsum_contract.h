#pragma once

// The values of einsum. Internal, not installed.

#include <span>
#include <string>

#include "autograd/ops/einsum_terms.h"
#include "autograd/tensor.h"

namespace tapegrad::ops {

// How many dims the largest intermediate result has, those of size 1 not counted.
int intermediate_rank(const Terms& terms, const LabelSizes& sizes);

// Fills `out`, dense in the order of the result: the first two operands are contracted, the outcome with the
// third, and so on, each time by matrix products over what both share. Operands float32 or float64, of the
// shapes that sizes come from; no intermediate result of more than kMaxRank dims.
void contract(const Terms& terms, const LabelSizes& sizes, std::span<const detail::Body* const> operands,
              void* out);

}  // namespace tapegrad::ops
