#pragma once

#include <string_view>
#include <vector>

#include "autograd/export.h"
#include "optim/optimizer.h"

namespace tapegrad::optim {

struct NAdamOptions {
  Schedule learning_rate = 2e-3;
  Betas betas = {};
  double eps = 1e-8;
  double weight_decay = 0;       // lambda
  double momentum_decay = 4e-3;  // psi
  bool maximize = false;
  static void fields(auto& self, auto&& f) {
    f("learning_rate", self.learning_rate, Range::not_negative);
    f("betas", self.betas, Range::below_one);
    f("eps", self.eps, Range::not_negative);
    f("weight_decay", self.weight_decay, Range::not_negative);
    f("momentum_decay", self.momentum_decay, Range::not_negative);
    f("maximize", self.maximize);
  }
};

// Adam with Nesterov's momentum (Dozat 2016) as PyTorch has it.
class TAPEGRAD_API NAdam : public Optimizer {
 public:
  using Options = NAdamOptions;
  using Groups = std::vector<Group<NAdamOptions>>;
  static constexpr std::string_view kName = "NAdam",
                                    kFormula =
                                        "m, v as Adam; μₜ = β₁ (1 − 0.96^(t ψ)/2); w ← w − η ((1−μₜ)/(1−Πμ) "
                                        "g + μₜ₊₁/(1−μₜ₊₁ Πμ) m) / (√(v/(1−β₂ᵗ)) + ε), "
                                        "Πμ = μ₁ … μₜ";

  explicit NAdam(ParameterList parameters, NAdamOptions options = {});
  explicit NAdam(Groups groups);
};

}  // namespace tapegrad::optim
