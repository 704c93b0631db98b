#pragma once

// The steps of optimisers as ops, for `update`: operands g, numbers, w and the state; outputs w and the state
// anew. They are no part of all_ops(): nobody differentiates or saves a step. Internal, not installed.

#include <span>

#include "autograd/export.h"
#include "autograd/kernels/step.h"
#include "autograd/op.h"

namespace tapegrad::ops {

using kernels::Step;
using kernels::StepNumbers;

using kernels::AdadeltaNumbers;
using kernels::AdagradNumbers;
using kernels::AdamNumbers;
using kernels::AverageNumbers;
using kernels::LionNumbers;
using kernels::NadamNumbers;
using kernels::RadamNumbers;
using kernels::RmspropNumbers;
using kernels::SgdNumbers;

// The operand "numbers" is the step's struct of numbers (kernels/step.h) as float64.
TAPEGRAD_API const Op& step_op(Step step);
// How many numbers one of these ops takes.
TAPEGRAD_API int64_t step_numbers(const Op& op);
// All of them, in the order of Step.
TAPEGRAD_API std::span<const Op* const> steps();

inline constexpr size_t kStepState = 3;  // the first operand that is state

}  // namespace tapegrad::ops
