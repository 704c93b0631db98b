#pragma once

#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "autograd/export.h"
#include "autograd/op.h"
#include "autograd/parameter.h"
#include "autograd/report.h"
#include "autograd/tape.h"
#include "autograd/tensor.h"

namespace tapegrad {

struct Sample;

enum class GradcheckMode : uint8_t {
  automatic,   // entries for small inputs; random directions and some entries for large ones
  entry,       // every entry of every input: 12 evaluations each
  projection,  // random directions through all inputs at once: 12 evaluations each, whatever the size
};

// What may be met at the point of a check and still pass. A function's kinks are excused where the gradient
// lies between the one-sided derivatives; the others must be declared.
struct Expected {
  bool kinks = true;
  bool jump = false;           // the value jumps at the point
  bool nonfinite = false;      // values or derivatives are infinite or NaN at the point
  bool zero_gradient = false;  // the gradient of an input is 0 everywhere
};

struct GradcheckOptions {
  double tolerance = 1e-6;  // widest relative error bar that still counts as an answer
  uint64_t seed = 1;        // of the cotangents and directions
  GradcheckMode mode = GradcheckMode::automatic;
  int64_t max_entries = 100;  // automatic: inputs with more are checked at this many entries and along …
  int projections = 3;        // … so many random directions
  bool second_order = false;  // check the derivative of the gradient, by reverse over reverse, instead
  bool structure = true;      // check the rules that hold for every gradient, which takes no differences
  bool locate = true;         // on a failure, look for the record of the tape that is wrong
  Expected expected = {};
};

namespace detail {

// A function of tensors, by reference.
struct TensorFunction {
  const void* function;
  Tensor (*call)(const void* function, std::span<const Tensor> inputs);
};

template <class F, size_t N = 0>
Tensor call_any(const F& f, std::span<const Tensor> inputs) {
  if constexpr (std::is_invocable_v<const F&, std::span<const Tensor>>) {
    return f(inputs);
  } else {
    static_assert(N <= 8, "gradcheck needs a function of up to 8 tensors, or of std::span<const Tensor>");
    return [&]<size_t... I>(std::index_sequence<I...>)->Tensor {
      if constexpr (std::is_invocable_v<const F&, decltype(inputs[I])...>) return f(inputs[I]...);
      else return call_any<F, N + 1>(f, inputs);
    }
    (std::make_index_sequence<N>{});
  }
}

template <class F>
TensorFunction erase(const F& f) {
  return {&f, [](const void* function, std::span<const Tensor> inputs) {
            return call_any(*static_cast<const F*>(function), inputs);
          }};
}

TAPEGRAD_API Report gradcheck_inputs(TensorFunction f, std::span<const Tensor> inputs,
                                     const GradcheckOptions& options);
TAPEGRAD_API Report gradcheck_parameters(TensorFunction f, const ParameterList& parameters,
                                         const GradcheckOptions& options);

}  // namespace detail

// Checks the gradient of f with respect to every floating input against finite differences with an error bar,
// under random signed cotangents; see autograd/README.md. f is pure and takes as many tensors as there are
// inputs; its result need not be a single number. With float32 inputs, f is recorded once and replayed in
// float64 from the same numbers: differences verify the float64 gradient, and the float32 one must lie as
// close to it as rounding explains. A report that is not ok names the record of the tape that is wrong.
// Throws what f throws, and ArgumentError for options that make no sense.
template <class F>
Report gradcheck(const F& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options = {}) {
  return detail::gradcheck_inputs(detail::erase(f), inputs, options);
}

// The same with respect to parameters that f, a function of no arguments, uses. They hold their values again
// afterwards, at the version they had.
template <class F>
Report gradcheck(const F& f, const ParameterList& parameters, const GradcheckOptions& options = {}) {
  return detail::gradcheck_parameters(detail::erase(f), parameters, options);
}

// The derivatives of one op at one sample. What the op's flags declare is expected, and nothing else. The
// last operand of a backward op with a `primal` is computed from the others and not varied.
TAPEGRAD_API Report gradcheck(const Op& op, const Sample& sample, GradcheckOptions options = {});

// What a tape recorded on the way to y. Every record is replayed from its saved inputs and must give the bits
// it gave; its derivative is verified with the cotangent that a sweep from y brings it, the cotangents must
// be the sums of the recorded contributions, and the gradients of the leaves are verified by replaying the
// whole tape. y has one element, or comes with a cotangent of its shape and dtype. A float32 tape is checked
// on its float64 replay, and its gradients against those.
TAPEGRAD_API Report gradcheck(Tape& tape, const Tensor& y, const Tensor& cotangent = {},
                              const GradcheckOptions& options = {});

}  // namespace tapegrad
