#pragma once

#include <string_view>
#include <vector>

#include "autograd/export.h"
#include "optim/optimizer.h"

namespace tapegrad::optim {

struct LionOptions {
  Schedule learning_rate = 1e-4;
  Betas betas = {0.9, 0.99};
  double weight_decay = 0;  // lambda
  bool maximize = false;
  static void fields(auto& self, auto&& f) {
    f("learning_rate", self.learning_rate, Range::not_negative);
    f("betas", self.betas, Range::below_one);
    f("weight_decay", self.weight_decay, Range::not_negative);
    f("maximize", self.maximize);
  }
};

// Lion (Chen et al. 2023), with decoupled weight decay.
class TAPEGRAD_API Lion : public Optimizer {
 public:
  using Options = LionOptions;
  using Groups = std::vector<Group<LionOptions>>;
  static constexpr std::string_view kName = "Lion",
                                    kFormula =
                                        "w ← (1−ηλ) w; w ← w − η sign(β₁ m + (1−β₁) g), m ← β₂ m + (1−β₂) g";

  explicit Lion(ParameterList parameters, LionOptions options = {});
  explicit Lion(Groups groups);
};

}  // namespace tapegrad::optim
