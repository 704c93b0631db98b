#pragma once

// What is verified: a function of tensors and its gradient by the tape. Internal, not installed.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "autograd/samples.h"
#include "autograd/tape.h"
#include "autograd/tape_impl.h"

namespace tapegrad::verify {

using Tensors = std::vector<Tensor>;

// A pure function of its inputs, some of which are varied. Inputs are watched tensors, or the values of
// cells, which the function reads from there.
class Subject {
 public:
  virtual ~Subject() = default;

  // The floating outputs. With `tape`, it records, and the inputs are tracked on it; without, none does.
  virtual Tensors run(std::span<const Tensor> inputs, Tape* tape) = 0;

  const Tensors& inputs() const { return inputs_; }
  // The inputs that are varied, by index.
  const std::vector<int>& varied() const { return varied_; }
  // Empty unless the inputs are the values of cells.
  const ParameterList& cells() const { return cells_; }
  const std::string& input_name(int i) const { return names_[static_cast<size_t>(i)]; }

 protected:
  Tensors inputs_;
  std::vector<int> varied_;
  ParameterList cells_;
  std::vector<std::string> names_;
};

// Puts values into cells and, at its end, back what was there, version included: the function sees nothing
// of it, nor does a tape that holds the cells.
class Placed {
 public:
  Placed(const ParameterList& cells, std::span<const Tensor> values);
  ~Placed();
  Placed(const Placed&) = delete;
  Placed& operator=(const Placed&) = delete;

 private:
  const ParameterList& cells_;
  Tensors before_;
};

// The subject's outputs at `inputs`, with nothing recorded.
Tensors evaluate(Subject& subject, std::span<const Tensor> inputs);

// The gradient of Σ⟨cotangent, output⟩ by each varied input, zeros where none arrived. The outputs were
// recorded on `tape` from these inputs.
Tensors sweep(Subject& subject, std::span<const Tensor> inputs, Tape& tape, const Tensors& outputs,
              const Tensors& cotangents, bool differentiable);

// One run of a subject on a tape of its own, to be swept from several cotangents.
class Recording {
 public:
  // `only`: the place in varied() of the one input that is tracked, −1: all are.
  Recording(Subject& subject, std::span<const Tensor> inputs, int only = -1);

  const Tensors& outputs() const { return outputs_; }
  const Tensors& inputs() const { return inputs_; }
  Tape& tape() { return tape_; }
  Tensors gradient(const Tensors& cotangents, bool differentiable = false) {
    return sweep(subject_, inputs_, tape_, outputs_, cotangents, differentiable);
  }

 private:
  Subject& subject_;
  Placed placed_;
  Tape tape_;
  Tensors inputs_;
  Tensors outputs_;
};

// A user's function of its arguments, or of the parameters that it uses.
class FunctionSubject final : public Subject {
 public:
  FunctionSubject(detail::TensorFunction f, std::span<const Tensor> inputs);
  FunctionSubject(detail::TensorFunction f, const ParameterList& parameters);
  Tensors run(std::span<const Tensor> inputs, Tape* tape) override;

 private:
  detail::TensorFunction f_;
};

// One op at given operands. The operand that a primal gives is computed from the others.
class OpSubject final : public Subject {
 public:
  OpSubject(const Op& op, std::span<const Tensor> inputs, OptionsRef options);
  // A record of a tape: what it tracks is varied, and its numbers stay numbers.
  OpSubject(const Tape& tape, const Record& record);
  Tensors run(std::span<const Tensor> inputs, Tape* tape) override;

 private:
  const Op& op_;
  OptionsBox options_;
  SourceLine where_;
  std::vector<Arg> numbers_;  // by operand: a number, or nothing
};

// The gradient of another subject under fixed cotangents, as a function of the same inputs.
class GradientSubject final : public Subject {
 public:
  GradientSubject(Subject& of, Tensors cotangents);
  Tensors run(std::span<const Tensor> inputs, Tape* tape) override;

 private:
  Subject& of_;
  Tensors cotangents_;
};

// Tensors of the shape and dtype of others, with Gaussian elements.
Tensors normal_like(const Tensors& like, uint64_t seed);

inline double* elements(Tensor& x) { return static_cast<double*>(x.handle()->data); }
inline const double* elements(const Tensor& x) { return static_cast<const double*>(x.handle()->data); }
bool same_bits(const Tensor& a, const Tensor& b);
bool same_bits(const Tensors& a, const Tensors& b);
Tensor copy_of(const Tensor& x);     // with memory of its own
Tensor space_like(const Tensor& x);  // the same, not filled
bool all_finite(const Tensor& x);

}  // namespace tapegrad::verify
