#pragma once

// float32 gradients against float64 ones. Internal, not installed.

#include "autograd/verify/builder.h"
#include "autograd/verify/replay.h"

namespace tapegrad::verify {

// Rule: float32
// `single`: the gradients that a float32 sweep gave from `cotangents`, by input of `exact`, which replays the
// tape in float64. They must lie as close to the float64 gradients as rounding explains:
// |g32 − g64| ≤ 8·(σ + 0.1·2⁻²⁴·|g|) in the largest entry of each input, where σ is the rms, over 8 replays
// of the tape and of the sweep, of what half a unit of float32 on every value does: on leaves and cotangents,
// and on the result of every record, those of the sweep included, so that what cancels between the ops of a
// rule shows. A kernel that hides what cancels inside it says so by its flag: see TapeSubject::jitter. Adds a
// fault where they do not, and a note.
void check_precision(TapeSubject& exact, const Tensors& cotangents, const Tensors& single,
                     ReportBuilder& report);

}  // namespace tapegrad::verify
