#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "autograd/error.h"
#include "autograd/export.h"
#include "autograd/gradients.h"
#include "autograd/op.h"
#include "autograd/tensor.h"

namespace tapegrad {

namespace detail {
struct TapeImpl;
}

// One recorded op: plain data in execution order. Inputs and outputs are places in the tape's list of values.
struct Record {
  const Op* op;
  const void* options;  // of type *op->options
  const uint32_t* inputs;
  SourceLine where;
  uint32_t first_output;  // outputs are first_output, first_output + 1, …
  uint16_t input_count;
  uint16_t output_count;
  uint32_t tracked;  // bit i: input i needs a cotangent; the last bit stands for all inputs from there on

  OptionsRef option_ref() const { return {options, options != nullptr ? op->options : nullptr}; }
};

// Where a value on the tape comes from.
enum class ValueKind : uint8_t { produced, watched, parameter, constant, real_literal, integer_literal };

struct GradientOptions {
  // Record the sweep itself on this tape, so that its results can be differentiated again.
  bool differentiable = false;
};

struct TapeOptions {
  // Look at every result and every contribution to a gradient, and throw a NumericError at the first NaN or
  // infinity that an op makes of its operands; see Tape.
  bool debug = false;
};

// Records ops while it lives: from construction to destruction, on the thread that made it. An inner tape
// pauses the outer one. An op is recorded if one of its operands is tracked: a Parameter, a watched tensor,
// or a result recorded on this tape. A result of a tape that has died is a constant.
//
// On a tape with `debug` set, an op that is to be recorded and gives a NaN, or gives an infinity though no
// operand or option is infinite, throws a NumericError before it is recorded: with its source line, the range
// of each operand and the ops its operands came from. A sweep throws where a rule makes such a contribution
// to a gradient, with the range of the cotangent as well and the records from there to the output. An
// infinity that is given, as in a mask, passes.
class TAPEGRAD_API Tape {
 public:
  explicit Tape(TapeOptions options = {});
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  // x as a tracked leaf of this tape; a result recorded on this tape is returned as it is, marked so that the
  // next sweep keeps its gradient. Throws DTypeError unless x is floating.
  Tensor watch(const Tensor& x, const char* file = __builtin_FILE(), int line = __builtin_LINE());

  // The gradient of y with respect to every parameter and watched tensor that took part. y has one element,
  // or comes with a cotangent of its shape and dtype; several outputs contribute the sum of theirs. The
  // records stay: a second call gives the same bits. Called on std::move(tape), each record is freed as the
  // sweep passes it. Throws GraphError when this tape did not record y, when a parameter changed since, or
  // when y has several elements and no cotangent. Errors name the line of the call.
  Gradients gradient(const Tensor& y, GradientOptions options = {}, const char* file = __builtin_FILE(),
                     int line = __builtin_LINE()) &;
  Gradients gradient(const Tensor& y, const Tensor& cotangent, GradientOptions options = {},
                     const char* file = __builtin_FILE(), int line = __builtin_LINE()) &;
  Gradients gradient(std::span<const Tensor> ys, std::span<const Tensor> cotangents,
                     GradientOptions options = {}, const char* file = __builtin_FILE(),
                     int line = __builtin_LINE()) &;
  Gradients gradient(std::initializer_list<Tensor> ys, std::initializer_list<Tensor> cotangents,
                     GradientOptions options = {}, const char* file = __builtin_FILE(),
                     int line = __builtin_LINE()) & {
    return gradient(std::span(ys.begin(), ys.size()), std::span(cotangents.begin(), cotangents.size()),
                    options, file, line);
  }
  Gradients gradient(const Tensor& y, const char* file = __builtin_FILE(), int line = __builtin_LINE()) &&;
  Gradients gradient(const Tensor& y, const Tensor& cotangent, const char* file = __builtin_FILE(),
                     int line = __builtin_LINE()) &&;

  // Process-wide unique, never reused.
  uint64_t serial() const;

  // The records, for readers such as print(tape).
  size_t size() const;
  const Record& operator[](size_t i) const;
  size_t values() const;
  ValueKind kind(uint32_t value) const;
  // A recorded value as a tensor: a parameter's present value; a literal as a 0-d float64 or int64.
  Tensor value(uint32_t value) const;
  // The parameter at a leaf, undefined for other kinds.
  CellRef parameter(uint32_t value) const;
  // The record that made a value, or size() for leaves and constants.
  size_t producer(uint32_t value) const;

  detail::TapeImpl* impl() const { return impl_; }

 private:
  detail::TapeImpl* impl_;
};

class Sweep;

// What a VJP rule sees of one record: its operands and results, the cotangents that reached it, and which
// inputs need one. An operand or output that the record does not have is a GraphError.
class TAPEGRAD_API Vjp {
 public:
  int inputs() const { return record_->input_count; }
  bool needs(int i) const {
    return static_cast<unsigned>(i) < 31 ? (record_->tracked >> i & 1) != 0 : needs_far(i);
  }
  // Operand i, with the record's source line; tracked again when the sweep is differentiable.
  Arg input(int i) const;
  Arg output(int k = 0) const;
  Tensor input_tensor(int i) const;
  Tensor output_tensor(int k = 0) const;
  Shape shape(int i) const;
  int64_t numel(int i) const;
  DType dtype(int i) const;
  template <class O>
  const O& options() const {
    return *static_cast<const O*>(record_->options);
  }
  OptionsRef option_ref() const { return record_->option_ref(); }
  const Op& op() const { return *record_->op; }
  // The cotangent of output k; zeros where none arrived. Valid until the rule returns.
  const Tensor& g(int k = 0) const;
  bool has_g(int k) const;

  // Adds a contribution to the cotangent of input i. It may have the broadcast shape: the sweep sums it down.
  // Throws GraphError naming op and slot for another shape or dtype.
  void add(int i, Tensor contribution);

 private:
  friend class Sweep;
  Vjp(Sweep& sweep, const Record& record) : sweep_(sweep), record_(&record) {}
  bool needs_far(int i) const;
  uint32_t input_place(int i) const;
  uint32_t output_place(int k) const;
  Tensor fitted(int i, const Tensor& contribution) const;

  Sweep& sweep_;
  const Record* record_;
};

}  // namespace tapegrad
