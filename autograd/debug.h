#pragma once

// What a tape with `debug` set looks at. Internal, not installed.

#include <cstdint>
#include <span>

#include "autograd/arg.h"
#include "autograd/op.h"
#include "autograd/options.h"
#include "autograd/tape_impl.h"

namespace tapegrad::detail {

// Throws a NumericError if an output holds a NaN, or an infinity though neither operands nor options do. The
// op is not recorded yet.
void check_outputs(const TapeImpl& tape, const Op& op, OptionsRef options, const SourceLine& where,
                   std::span<const Arg> args, std::span<Body* const> outputs);

// The same of the gradient of operand i of a record, after its rule has added to it. `slots` are the
// cotangents of all values; `outputs` the values that the sweep began with.
void check_gradient(const TapeImpl& tape, const Record& record, int i, std::span<const Tensor> slots,
                    std::span<const uint32_t> outputs);

// Throws a NumericError if a cotangent given to a sweep holds a NaN.
void check_cotangent(const Body& cotangent, const SourceLine& where);

}  // namespace tapegrad::detail
