#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "autograd/export.h"
#include "autograd/gradients.h"
#include "autograd/parameter.h"
#include "optim/schedule.h"

namespace tapegrad::optim {

struct SGDOptions {
  Schedule learning_rate;  // eta(t); a number is a constant
  double momentum = 0.0;   // mu; 0 keeps no velocities
};

// Gradient descent on the gradients it is given, batch or stochastic, with momentum in PyTorch's form:
//   v ← mu·v + g (v = g at a parameter's first gradient),  w ← w − eta(t)·v,  t = 1, 2, ….
class TAPEGRAD_API SGD {
 public:
  // Holds the cells, so a module may move afterwards. Throws ArgumentError when the list is empty, names a
  // parameter twice or an undefined one, or when the momentum is negative or not finite.
  SGD(ParameterList parameters, SGDOptions options);
  // A copy steps the same parameters with velocities and a count of its own.
  SGD(const SGD& other);
  SGD(SGD&&) noexcept = default;
  SGD& operator=(SGD other) noexcept;
  ~SGD() = default;

  // One step. A parameter without a gradient is passed over, its velocity too; a NaN in a gradient goes into
  // the parameter. The gradients are only read. A parameter is written in place when nobody else holds its
  // value, else into fresh memory, so a snapshot stays what it was. Throws ShapeError or DTypeError, before
  // anything is written, when a gradient is not like its parameter.
  void step(const Gradients& gradients);

  // The steps taken so far.
  int64_t t() const { return clock_->t; }
  // The step size that the next step will use: eta(t() + 1).
  double learning_rate() const { return clock_->learning_rate(clock_->t + 1); }
  double momentum() const { return options_.momentum; }
  const ParameterList& parameters() const { return parameters_; }

 private:
  // What moves on with every step outside of tensors. On the heap, because a Program that steps keeps it.
  struct Clock {
    Schedule learning_rate;
    int64_t t = 0;
    double minus_eta = 0;  // of the step under way
  };

  void find(const Gradients& gradients);

  ParameterList parameters_;
  SGDOptions options_;
  std::shared_ptr<Clock> clock_;
  std::vector<Buffer> velocities_;  // undefined until a parameter's first gradient; empty without momentum
  std::vector<size_t> places_;      // of each parameter among the gradients of the last step
};

}  // namespace tapegrad::optim
