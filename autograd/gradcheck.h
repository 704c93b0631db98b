#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "autograd/export.h"
#include "autograd/parameter.h"
#include "autograd/tensor.h"

namespace tapegrad {

enum class Verdict : uint8_t {
  agree,       // within the error bar, and the bar is small
  agree_zero,  // both are zero as far as can be resolved
  disagree,    // further apart than the error bar allows
  noisy,       // the bar is too wide to tell
  nonfinite,   // a value or a derivative is NaN or infinite
};

TAPEGRAD_API std::string_view name(Verdict verdict);

struct GradcheckOptions {
  double tolerance = 1e-6;    // widest relative error bar that still counts as an answer
  uint64_t seed = 1;          // of the cotangents and directions
  int64_t max_entries = 100;  // inputs with more are checked along random directions and at this many entries
  int projections = 3;        // random directions for those
};

// One derivative that was checked: along entry `entry` of an input, or along a random direction (entry −1).
struct CheckedEntry {
  int input;
  int64_t entry;
  double gradient;    // what the tape says
  double difference;  // what finite differences say
  double bar;         // how far off the difference may be
  Verdict verdict;
};

// The outcome of a gradient check. ok() is true when every derivative agrees and at least one was checked.
class TAPEGRAD_API Report {
 public:
  bool ok() const;
  explicit operator bool() const { return ok(); }
  const std::vector<CheckedEntry>& entries() const { return entries_; }
  // The derivative furthest from agreement, by |gradient − difference| / bar.
  const CheckedEntry& worst() const;
  // A verdict, the worst entry with its error bar, and one line per derivative that fails.
  std::string_view text() const { return {text_.data(), text_.size()}; }

 private:
  friend class GradientChecker;
  void write_text(std::span<const CellRef> names);

  std::vector<CheckedEntry> entries_;
  std::vector<char> text_;
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

// Checks the gradient of f with respect to every floating input against finite differences with an error bar:
// central differences on two ladders of steps, extrapolated (Richardson, Ridders), under random signed
// cotangents. f is pure and takes as many tensors as there are inputs. Inputs should be float64; float32
// cannot prove much.
template <class F>
Report gradcheck(const F& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options = {}) {
  return detail::gradcheck_inputs(detail::erase(f), inputs, options);
}

// The same with respect to parameters that f, a function of no arguments, uses. Their values are put back.
template <class F>
Report gradcheck(const F& f, const ParameterList& parameters, const GradcheckOptions& options = {}) {
  return detail::gradcheck_parameters(detail::erase(f), parameters, options);
}

}  // namespace tapegrad
