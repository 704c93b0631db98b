#pragma once

#include <string_view>
#include <vector>

#include "autograd/export.h"
#include "optim/optimizer.h"

namespace tapegrad::optim {

struct AdamOptions {
  Schedule learning_rate = 1e-3;
  Betas betas = {};
  double eps = 1e-8;
  double weight_decay = 0;  // lambda
  bool amsgrad = false;
  bool maximize = false;
  static void fields(auto& self, auto&& f) {
    f("learning_rate", self.learning_rate, Range::not_negative);
    f("betas", self.betas, Range::below_one);
    f("eps", self.eps, Range::not_negative);
    f("weight_decay", self.weight_decay, Range::not_negative);
    f("amsgrad", self.amsgrad);
    f("maximize", self.maximize);
  }
};

// Adam (Kingma and Ba 2015), with AMSGrad (Reddi et al. 2018). Weight decay is added to the gradient.
class TAPEGRAD_API Adam : public Optimizer {
 public:
  using Options = AdamOptions;
  using Groups = std::vector<Group<AdamOptions>>;
  static constexpr std::string_view
      kName = "Adam",
      kFormula =
          "m ← β₁ m + (1−β₁) g, v ← β₂ v + (1−β₂) g²; w ← w − η m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε); "
          "amsgrad: by the largest v so far";

  explicit Adam(ParameterList parameters, AdamOptions options = {});
  explicit Adam(Groups groups);
};

struct AdamWOptions {
  Schedule learning_rate = 1e-3;
  Betas betas = {};
  double eps = 1e-8;
  double weight_decay = 1e-2;  // lambda
  bool amsgrad = false;
  bool maximize = false;
  static void fields(auto& self, auto&& f) {
    f("learning_rate", self.learning_rate, Range::not_negative);
    f("betas", self.betas, Range::below_one);
    f("eps", self.eps, Range::not_negative);
    f("weight_decay", self.weight_decay, Range::not_negative);
    f("amsgrad", self.amsgrad);
    f("maximize", self.maximize);
  }
};

// Adam with decoupled weight decay (Loshchilov and Hutter 2019).
class TAPEGRAD_API AdamW : public Optimizer {
 public:
  using Options = AdamWOptions;
  using Groups = std::vector<Group<AdamWOptions>>;
  static constexpr std::string_view kName = "AdamW", kFormula = "w ← (1−ηλ) w, then as Adam";

  explicit AdamW(ParameterList parameters, AdamWOptions options = {});
  explicit AdamW(Groups groups);
};

}  // namespace tapegrad::optim
