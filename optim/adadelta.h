#pragma once

#include <string_view>
#include <vector>

#include "autograd/export.h"
#include "optim/optimizer.h"

namespace tapegrad::optim {

struct AdadeltaOptions {
  Schedule learning_rate = 1.0;
  double rho = 0.9;
  double eps = 1e-6;
  double weight_decay = 0;  // lambda
  bool maximize = false;
  static void fields(auto& self, auto&& f) {
    f("learning_rate", self.learning_rate, Range::not_negative);
    f("rho", self.rho, Range::at_most_one);
    f("eps", self.eps, Range::not_negative);
    f("weight_decay", self.weight_decay, Range::not_negative);
    f("maximize", self.maximize);
  }
};

// Adadelta (Zeiler 2012).
class TAPEGRAD_API Adadelta : public Optimizer {
 public:
  using Options = AdadeltaOptions;
  using Groups = std::vector<Group<AdadeltaOptions>>;
  static constexpr std::string_view
      kName = "Adadelta",
      kFormula = "s ← ρ s + (1−ρ) g², d = g √(u + ε)/√(s + ε), u ← ρ u + (1−ρ) d²; w ← w − η d";

  explicit Adadelta(ParameterList parameters, AdadeltaOptions options = {});
  explicit Adadelta(Groups groups);
};

}  // namespace tapegrad::optim
