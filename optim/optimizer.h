#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/export.h"
#include "autograd/gradients.h"
#include "autograd/parameter.h"
#include "optim/options.h"

namespace tapegrad::optim {

namespace detail {
class Core;
struct Work;
}  // namespace detail

// Parameters with options of their own.
template <class Options>
struct Group {
  ParameterList parameters;
  Options options;
};

struct StepOptions {
  bool allow_unused = false;  // parameters without a gradient at the first step are no error
};

// One entry of what an optimiser keeps, for checkpoints: "t", then for each parameter by its place in the
// list "0.step" and the state by PyTorch's names, "0.exp_avg".
struct NamedTensor {
  std::string name;
  Tensor value;
};

// What all optimisers have in common, and all that is needed to step one. A value: it holds the cells of its
// parameters, so a module may move afterwards, and a copy steps the same parameters with state of its own.
class TAPEGRAD_API Optimizer {
 public:
  Optimizer(const Optimizer& other);
  Optimizer(Optimizer&&) noexcept = default;
  Optimizer& operator=(Optimizer other) noexcept;
  ~Optimizer();

  // One step, t = 1, 2, …, in one pass over each parameter. A parameter without a gradient is passed over,
  // its state too; at the first step that is a GraphError naming it, unless allowed. A NaN in a gradient goes
  // into the parameter. The gradients are only read. Parameters and state are written in place when nobody
  // else holds their values, else into fresh memory, so a snapshot stays what it was. Throws ShapeError or
  // DTypeError, before anything is written, when a gradient is not like its parameter, and ArgumentError when
  // a schedule gives a number out of range.
  void step(const Gradients& gradients, StepOptions options = {});

  std::string_view name() const;
  // The steps taken so far.
  int64_t t() const;
  // The step size that the next step will use: eta(t() + 1).
  double learning_rate(size_t group = 0) const;
  size_t groups() const;
  // Of all groups, in their order.
  const ParameterList& parameters() const { return parameters_; }

  // Snapshots of everything that steps change but the parameters. Loaded into an optimiser of the same kind
  // for parameters of the same shapes, it goes on with the same bits.
  std::vector<NamedTensor> state() const;
  // Throws ArgumentError, ShapeError or DTypeError naming the entry where it does not fit; nothing has
  // changed then.
  void load_state(const std::vector<NamedTensor>& state);

 protected:
  explicit Optimizer(std::shared_ptr<detail::Core> core);

 private:
  ParameterList parameters_;
  // On the heap, because a Program that steps keeps them.
  std::shared_ptr<detail::Core> core_;
  std::shared_ptr<detail::Work> work_;
};

}  // namespace tapegrad::optim
