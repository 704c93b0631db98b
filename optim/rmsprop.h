#pragma once

#include <string_view>
#include <vector>

#include "autograd/export.h"
#include "optim/optimizer.h"

namespace tapegrad::optim {

struct RMSpropOptions {
  Schedule learning_rate = 1e-2;
  double alpha = 0.99;
  double eps = 1e-8;
  double weight_decay = 0;  // lambda
  Schedule momentum = 0.0;  // mu; the number 0 keeps no velocities
  bool centered = false;
  bool maximize = false;
  static void fields(auto& self, auto&& f) {
    f("learning_rate", self.learning_rate, Range::not_negative);
    f("alpha", self.alpha, Range::at_most_one);
    f("eps", self.eps, Range::not_negative);
    f("weight_decay", self.weight_decay, Range::not_negative);
    f("momentum", self.momentum, Range::not_negative);
    f("centered", self.centered);
    f("maximize", self.maximize);
  }
};

// RMSprop (Tieleman and Hinton 2012) as PyTorch has it. Where rounding takes the variance s − a² below 0, it
// counts as 0.
class TAPEGRAD_API RMSprop : public Optimizer {
 public:
  using Options = RMSpropOptions;
  using Groups = std::vector<Group<RMSpropOptions>>;
  static constexpr std::string_view
      kName = "RMSprop",
      kFormula =
          "s ← α s + (1−α) g²; w ← w − η g/(√s + ε), or with momentum v ← μ v + g/(√s + ε), w ← w − η v; "
          "centered: a ← α a + (1−α) g, s − a² for s under the root";

  explicit RMSprop(ParameterList parameters, RMSpropOptions options = {});
  explicit RMSprop(Groups groups);
};

}  // namespace tapegrad::optim
