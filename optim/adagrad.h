#pragma once

#include <string_view>
#include <vector>

#include "autograd/export.h"
#include "optim/optimizer.h"

namespace tapegrad::optim {

struct AdagradOptions {
  Schedule learning_rate = 1e-2;
  double lr_decay = 0;
  double weight_decay = 0;  // lambda
  double initial_accumulator_value = 0;
  double eps = 1e-10;
  bool maximize = false;
  static void fields(auto& self, auto&& f) {
    f("learning_rate", self.learning_rate, Range::not_negative);
    f("lr_decay", self.lr_decay, Range::not_negative);
    f("weight_decay", self.weight_decay, Range::not_negative);
    f("initial_accumulator_value", self.initial_accumulator_value, Range::not_negative);
    f("eps", self.eps, Range::not_negative);
    f("maximize", self.maximize);
  }
};

// Adagrad (Duchi, Hazan and Singer 2011).
class TAPEGRAD_API Adagrad : public Optimizer {
 public:
  using Options = AdagradOptions;
  using Groups = std::vector<Group<AdagradOptions>>;
  static constexpr std::string_view
      kName = "Adagrad",
      kFormula =
          "s ← s + g²; w ← w − η/(1 + (t−1) lr_decay) g/(√s + ε); s = initial_accumulator_value at first";

  explicit Adagrad(ParameterList parameters, AdagradOptions options = {});
  explicit Adagrad(Groups groups);
};

}  // namespace tapegrad::optim
