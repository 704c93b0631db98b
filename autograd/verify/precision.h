#pragma once

// float32 gradients against float64 ones. Internal, not installed.

#include "autograd/verify/builder.h"
#include "autograd/verify/replay.h"

namespace tapegrad::verify {

// `single`: the gradients that a float32 sweep gave from `cotangents`, by input of `exact`, which replays the
// tape in float64. They must lie as close to the float64 gradients as rounding explains:
// |g32 − g64| ≤ 8·(σ + 0.1·2⁻²⁴·|g|) in the largest entry of each input, where σ is the rms, over 8 replays,
// of what half a unit of float32 on every value and every cotangent, a quarter of it on the leaves, and a
// quarter of half a unit of the largest cotangent times the product of the operands, or the largest result,
// of each record on its contributions does: such terms may cancel inside an op, which leaves their rounding
// errors. Adds a fault where they do not, and a note.
void check_precision(TapeSubject& exact, const Tensors& cotangents, const Tensors& single,
                     ReportBuilder& report);

}  // namespace tapegrad::verify
