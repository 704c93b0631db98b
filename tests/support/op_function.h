#pragma once

// One op at one of its samples as a function of its floating operands, for the tests that loop over
// all_ops().

#include <span>
#include <string>
#include <vector>

#include "autograd/autograd.h"
#include "autograd/samples.h"

namespace tapegrad::testing {

// A backward op whose last operand is y = primal(x…) has no free y: it is computed from the x given.
class OpFunction {
 public:
  // The variables are the floating operands but the constant ones, each its own. With `repeated`, operands of
  // one shape share a variable.
  OpFunction(const Op& op, const Sample& sample, bool repeated = false);

  const Op& op() const { return *op_; }
  const Sample& sample() const { return *sample_; }
  const std::vector<Tensor>& variables() const { return variables_; }
  // The operand that variable v is passed as (the first, where shared).
  int operand(size_t v) const { return operand_[v]; }
  // True when some variable is passed as two operands.
  bool shares() const { return shares_; }
  // Elements of all variables together.
  int64_t elements() const;

  // All outputs, in order.
  std::vector<Tensor> outputs(std::span<const Tensor> x) const;
  // The floating outputs as one tensor: the only one as it is, several flattened and joined.
  Tensor joined(std::span<const Tensor> x) const;

  // "matmul #3(transpose_a=true) float64[3, 4], float64[4, 2]" for messages.
  std::string text(size_t number) const;

 private:
  const Op* op_;
  const Sample* sample_;
  std::vector<int> slot_;  // of each operand: its variable, or −1 for a constant
  std::vector<int> operand_;
  std::vector<Tensor> variables_;
  bool shares_ = false;
};

// Flattened and joined; one tensor is flattened only.
Tensor flatten(std::span<const Tensor> tensors);

// The gradients of ⟨c, f(x)⟩ with respect to each variable, where c is drawn from the seed; zeros where none
// arrived. The sweep runs on `tape`, which must have watched x.
std::vector<Tensor> gradients_of(Tape& tape, const OpFunction& f, std::span<const Tensor> x, uint64_t seed,
                                 bool differentiable);

// The op's samples in one dtype.
Samples samples_of(const Op& op, DType dtype = float64);

// Watched copies, for floating tensors; the others as they are.
std::vector<Tensor> watch_all(Tape& tape, std::span<const Tensor> tensors);

// True when x was recorded on the tape, so that a gradient of it can be asked for.
bool recorded(const Tape& tape, const Tensor& x);

// Same shape, dtype and bytes.
bool same_bits(const Tensor& a, const Tensor& b);

}  // namespace tapegrad::testing
