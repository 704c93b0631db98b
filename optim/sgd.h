#pragma once

#include <string_view>
#include <vector>

#include "autograd/export.h"
#include "optim/optimizer.h"

namespace tapegrad::optim {

struct SGDOptions {
  Schedule learning_rate = 1e-3;  // eta(t); a number is a constant
  Schedule momentum = 0.0;        // mu; the number 0 keeps no velocities
  double dampening = 0;           // tau
  double weight_decay = 0;        // lambda
  bool nesterov = false;
  bool maximize = false;
  static void fields(auto& self, auto&& f) {
    f("learning_rate", self.learning_rate, Range::not_negative);
    f("momentum", self.momentum, Range::not_negative);
    f("dampening", self.dampening, Range::any);
    f("weight_decay", self.weight_decay, Range::not_negative);
    f("nesterov", self.nesterov);
    f("maximize", self.maximize);
  }
};

// Gradient descent on the gradients it is given, batch or stochastic, with momentum in PyTorch's form.
class TAPEGRAD_API SGD : public Optimizer {
 public:
  using Options = SGDOptions;
  using Groups = std::vector<Group<SGDOptions>>;
  static constexpr std::string_view kName = "SGD", kFormula =
                                                       "v ← μ v + (1−τ) g, v = g at first; w ← w − η v, "
                                                       "or with nesterov w − η (g + μ v)";

  // Throws ArgumentError when the list is empty, names a parameter twice or an undefined one, for an option
  // out of its range, and for nesterov without momentum or with dampening. So do all optimisers.
  explicit SGD(ParameterList parameters, SGDOptions options = {});
  explicit SGD(Groups groups);
};

}  // namespace tapegrad::optim
