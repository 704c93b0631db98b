#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>

#include "autograd/export.h"
#include "autograd/parameter.h"
#include "autograd/program.h"
#include "optim/optimizer.h"

namespace tapegrad::optim {

enum class LineSearch : uint8_t { none, strong_wolfe };

struct LBFGSOptions {
  Schedule learning_rate = 1.0;
  int64_t max_iter = 20;                 // iterations in one step
  std::optional<int64_t> max_eval = {};  // evaluations in one step; max_iter·5/4 if left out
  double tolerance_grad = 1e-7;
  double tolerance_change = 1e-9;
  int64_t history_size = 100;
  LineSearch line_search_fn = LineSearch::none;
  static void fields(auto& self, auto&& f) {
    f("learning_rate", self.learning_rate, Range::not_negative);
    f("max_iter", self.max_iter, Range::positive);
    f("max_eval", self.max_eval, Range::positive);
    f("tolerance_grad", self.tolerance_grad, Range::not_negative);
    f("tolerance_change", self.tolerance_change, Range::not_negative);
    f("history_size", self.history_size, Range::positive);
    f("line_search_fn", self.line_search_fn);
  }
};

// L-BFGS (Liu and Nocedal 1989), step by step as PyTorch does it. One step evaluates the loss many times;
// directions and history are kept in float64. For a loss that is the same function each time, not of a batch
// drawn anew:
//   LBFGS lbfgs{parameters(net), {.line_search_fn = LineSearch::strong_wolfe}};
//   Program loss = capture([&](Tensor x, Tensor y) { return mse_loss(net(x), y); }, x, y);
//   lbfgs.step([&] { return loss(x, y); });
class TAPEGRAD_API LBFGS {
 public:
  using Options = LBFGSOptions;
  static constexpr std::string_view kName = "LBFGS",
                                    kFormula =
                                        "w ← w + η d, d = −H g by the last history_size pairs of "
                                        "differences; strong_wolfe: η by cubic line search";

  // Throws as other optimisers do.
  explicit LBFGS(ParameterList parameters, LBFGSOptions options = {});
  LBFGS(const LBFGS& other);
  LBFGS(LBFGS&&) noexcept;
  LBFGS& operator=(LBFGS other) noexcept;
  ~LBFGS();

  // Up to max_iter iterations; the loss before them. `closure` gives loss and gradients at the parameters as
  // they are then: what a Program of `capture` gives. If it throws, parameters and state are as before the
  // step. Throws GraphError at the first step for a parameter without a gradient, unless allowed, and inside
  // a recording.
  template <class F>
    requires std::is_invocable_r_v<ProgramResult, F&>
  double step(F&& closure, StepOptions options = {}) {
    using Closure = std::remove_reference_t<F>;
    return run([](void* f) -> ProgramResult { return (*static_cast<Closure*>(f))(); },
               const_cast<void*>(static_cast<const void*>(&closure)), options);
  }

  std::string_view name() const { return kName; }
  int64_t t() const;           // steps taken
  int64_t n_iter() const;      // iterations in all steps
  int64_t func_evals() const;  // evaluations in all steps
  const ParameterList& parameters() const;

  // As Optimizer's: "t", "n_iter", "func_evals", then "step_size", "H_diag", "d", "prev_flat_grad",
  // "old_dirs", "old_stps" once there was an iteration.
  std::vector<NamedTensor> state() const;
  void load_state(const std::vector<NamedTensor>& state);

 private:
  struct State;
  double run(ProgramResult (*call)(void*), void* closure, StepOptions options);
  std::unique_ptr<State> state_;
};

}  // namespace tapegrad::optim
