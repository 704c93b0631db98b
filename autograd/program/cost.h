#pragma once

// What the calls of a trace cost, and what the machine can do. Internal, not installed.

#include "autograd/op.h"
#include "autograd/program/plan.h"

namespace tapegrad::detail {

// As the op itself states it, for operands of these shapes.
Cost cost_of(const Trace& trace, const TraceCall& call);
// The same within a step of the plan: where several records run together, bytes of what lies in their scratch
// memory and of single elements do not count.
Cost cost_in_step(const Plan& plan, const Step& step, const TraceCall& call);

// Seconds of a pointwise call's kernel on a block of the step, in the first-level cache; of the product that
// the step begins with, at the machine's peak.
double block_seconds(const Plan& plan, const Step& step, const TraceCall& call);

// Seconds that the machine needs at least: the flops at peak_flops, or the bytes at the rate of an addition
// that touches as many. Both rates are measured when first asked for, for each dtype and number of threads.
double peak_seconds(const Cost& cost, DType dtype);
// The dtype whose rate counts: float64 if an operand or result is.
DType rate_dtype(const Trace& trace, const TraceCall& call);

}  // namespace tapegrad::detail
