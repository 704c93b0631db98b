#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "autograd/arg.h"
#include "autograd/export.h"
#include "autograd/options.h"
#include "autograd/tensor.h"

namespace tapegrad {

class Call;
class Vjp;
class Samples;
namespace kernels {
struct Gemm;
}

// What a check or a reader must know about an op's behaviour.
struct Flags {
  bool kinks = false;  // continuous, with points where the derivative jumps
  bool jump = false;   // the value itself jumps
  bool poles = false;  // the derivative is infinite somewhere; see OpKind pole rule in autograd/README.md
  bool zero_gradient = false;  // the gradient is 0 wherever it exists
  bool cancels = false;  // its kernel subtracts terms of which little may be left: rounding errors are theirs
  bool random = false;   // draws from a counter-based generator keyed by an input
  bool writes_state = false;  // changes a cell
  // Every output has the shape and dtype of some operand and depends on that operand's elements at its own
  // place alone, so it may be written over it; and once the shapes are checked nothing throws. For `update`.
  bool in_place = false;
  const char* non_differentiable = nullptr;  // why there is no gradient, for ops that have none
};

// The largest error of a value, in units in the last place of the exact result. 0.5: rounded correctly; 0:
// not stated.
struct Ulp {
  double float32 = 0;
  double float64 = 0;
};

// Work of one call: floating-point operations, and bytes read and written at least once.
struct Cost {
  double flops = 0;
  double bytes = 0;
};

// A pointwise kernel: out[i] = f(in[0][i·step[0]], …) for i < n. step is 1, or 0 where in[k] points to one
// value for all i. For n > 1, dense pointers are 64-byte aligned, and memory up to the next multiple of 64
// bytes may be read and written. `out` may be any dense operand.
using PointwiseKernel = void (*)(const void* const* in, const int64_t* step, void* out, int64_t n);

// Everything the library knows of one op, as one constant. Built by op<T> from a struct T; see make_op.
struct Op {
  std::string_view name;
  std::string_view doc;
  std::span<const std::string_view> operands;  // their names, as errors and docs show them
  int min_inputs;
  int max_inputs;  // -1: any number
  // A bit for each floating operand that no gradient reaches: a constant by its contract, or not read.
  uint32_t constant_operands;
  int results;  // how many of its outputs are for users, those behind being kept for the sweep; -1: all
  const OptionsType* options;
  Flags flags;
  Ulp ulp;  // of a pointwise op

  void (*shape)(Call& call);    // the shape rule: checks the inputs and declares the outputs
  void (*forward)(Call& call);  // fills the declared outputs; null where the shape rule aliases its input
  void (*vjp)(Vjp& vjp);        // adds the cotangent of each input that needs one; null if non_differentiable
  Cost (*cost)(const Call& call);
  void (*samples)(Samples& samples);  // inputs and options that every check of this op runs over

  // For pointwise ops: the kernel for each dtype of the operands (null: dtype not taken) and what it yields.
  PointwiseKernel pointwise[kDTypes];
  int first_value;  // the first operand that has the common dtype (`where` starts with a condition)
  bool boolean_result;
  int plain_operands;  // how many operands, if all have the common dtype and none may be left out; else 0
  // The kernel reads `numbers` more operands, repeated: what number_options writes to `to`. It returns false
  // for options that the shape rule has to refuse.
  int numbers;
  bool (*number_options)(const void* options, double* to);

  // For a product of the first two operands as matrices, plus the third where there is one: its shape.
  kernels::Gemm (*product)(const Shape& a, const Shape& b);
  bool never_throws;  // the kernel, whatever the elements are

  // For a backward op (g, x…, y): the pointwise op whose output y is, so y is no free variable of its own.
  const Op* primal;
};

namespace detail {
template <class T>
consteval Op make_op();
}

// The record of the op that struct T describes. T needs: name, doc, operands, shape, forward, vjp or a
// non_differentiable reason in flags, cost, samples; or, for a pointwise op, name, doc and the formula f.
// What is missing does not compile.
template <class T>
inline constexpr Op op = detail::make_op<T>();

// Every op of the library, in the order of the documentation.
TAPEGRAD_API std::span<const Op* const> all_ops();
// The op of that name among `ops`, or null.
TAPEGRAD_API const Op* find_op(std::string_view name, std::span<const Op* const> ops = all_ops());

}  // namespace tapegrad
