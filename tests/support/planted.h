#pragma once

// Mistakes planted into the VJP of an op, to see which checks find them.

#include <span>
#include <string_view>

#include "autograd/autograd.h"

namespace tapegrad::testing {

enum class Fault : uint8_t {
  none,                  // the right VJP, as a control
  sign,                  // −g
  twice,                 // 2g
  half,                  // g/2
  slightly,              // (1 + 1e-6)·g
  thousandth,            // (1 + 9e-4)·g, which passes rtol 1e-3
  dropped_term,          // the contribution to the last operand is missing
  swapped_operands,      // the first two operands of one shape get each other's contribution
  missing_unbroadcast,   // of a broadcast operand one part instead of the sum of all
  missing_accumulation,  // of several outputs that read one element, the last one's part instead of the sum
  transposed,            // the last two dimensions exchanged (of a square, or as the elements lie)
  off_by_one,            // every entry in its neighbour's place along the last dimension
  float32_inside,        // computed in float32
  clamped_cotangent,     // the cotangent cut to [−1, 1]
  absolute_cotangent,    // |c|
  squared_cotangent,     // c²
  one_entry,             // one entry of one operand off by a tenth
  last_lanes,            // the entries after the last multiple of four are 0
  stale_value,           // computed at other values of the operands than the forward's
};

std::span<const Fault> all_faults();  // but none
std::string_view name(Fault fault);

// An op like another, with a fault in its VJP. Its record is a constant of the program's, so it outlives the
// tapes that hold records of it. Its VJP is not differentiable again.
struct PlantedOp : Op {
  PlantedOp(const Op& original, Fault fault);

  const Op* original;
  Fault fault;
};

// The VJP of one call by the original op: the contribution to each operand, undefined for one that is not
// floating. `cotangents` are those of the floating outputs.
std::vector<Tensor> true_vjp(const Op& op, std::span<const Tensor> inputs, OptionsRef options,
                             std::span<const Tensor> cotangents);
// The same with a fault.
std::vector<Tensor> faulty_vjp(const Op& op, std::span<const Tensor> inputs, OptionsRef options,
                               std::span<const Tensor> cotangents, Fault fault);

// True if a report on a planted op calls something wrong: a derivative that disagrees, or a rule that is
// broken. That the VJP is not differentiable again says nothing about the fault, nor does a derivative that
// is too noisy to tell.
bool found(const Report& report);

// True if the fault changes some contribution of this call by more than 1e-12 of the largest entry, for one
// of `draws` random cotangents. A fault that does not is no fault here: an operand that is not broadcast
// needs no sum.
bool shows(const Op& op, std::span<const Tensor> inputs, OptionsRef options, Fault fault, int draws = 4,
           uint64_t seed = 900);
// The same under given cotangents, of the operands whose bit is set.
bool shows_under(const Op& op, std::span<const Tensor> inputs, OptionsRef options, Fault fault,
                 std::span<const Tensor> cotangents, uint32_t operands);

}  // namespace tapegrad::testing
