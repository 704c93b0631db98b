#pragma once

#include <cstddef>
#include <cstdint>
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

  // One step. A parameter without a gradient is passed over, its velocity too; a NaN in a gradient goes into
  // the parameter. The gradients are only read. A parameter is written in place when nobody else holds its
  // value, else into fresh memory, so a snapshot stays what it was. Throws ShapeError or DTypeError, before
  // anything is written, when a gradient is not like its parameter.
  void step(const Gradients& gradients);

  // The steps taken so far.
  int64_t t() const { return t_; }
  // The step size that the next step will use: eta(t() + 1).
  double learning_rate() const { return options_.learning_rate(t_ + 1); }
  double momentum() const { return options_.momentum; }
  const ParameterList& parameters() const { return parameters_; }

 private:
  void find(const Gradients& gradients);

  ParameterList parameters_;
  SGDOptions options_;
  std::vector<Buffer> velocities_;  // undefined until a parameter's first gradient; empty without momentum
  std::vector<size_t> places_;      // of each parameter among the gradients of the last step
  int64_t t_ = 0;
};

}  // namespace tapegrad::optim
