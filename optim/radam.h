#pragma once

#include <string_view>
#include <vector>

#include "autograd/export.h"
#include "optim/optimizer.h"

namespace tapegrad::optim {

struct RAdamOptions {
  Schedule learning_rate = 1e-3;
  Betas betas = {};
  double eps = 1e-8;
  double weight_decay = 0;  // lambda
  bool maximize = false;
  static void fields(auto& self, auto&& f) {
    f("learning_rate", self.learning_rate, Range::not_negative);
    f("betas", self.betas, Range::below_one);
    f("eps", self.eps, Range::not_negative);
    f("weight_decay", self.weight_decay, Range::not_negative);
    f("maximize", self.maximize);
  }
};

// Rectified Adam (Liu et al. 2020) as PyTorch has it.
class TAPEGRAD_API RAdam : public Optimizer {
 public:
  using Options = RAdamOptions;
  using Groups = std::vector<Group<RAdamOptions>>;
  static constexpr std::string_view kName = "RAdam",
                                    kFormula =
                                        "m, v as Adam; ρ = 2/(1−β₂) − 1, ρₜ = ρ − 2t β₂ᵗ/(1−β₂ᵗ); w ← w − η "
                                        "m/(1−β₁ᵗ), where ρₜ > 5 times r √(1−β₂ᵗ)/(√v + ε), "
                                        "r² = (ρₜ−4)(ρₜ−2)ρ/((ρ−4)(ρ−2)ρₜ)";

  explicit RAdam(ParameterList parameters, RAdamOptions options = {});
  explicit RAdam(Groups groups);
};

}  // namespace tapegrad::optim
