#pragma once

// Every optimiser that takes gradients, with each of its step ops, for tests that loop over them.

#include <string_view>
#include <vector>

#include "optim/optim.h"

namespace tapegrad::testing {

struct Optimised {
  std::string_view what;
  optim::Optimizer (*make)(const ParameterList& parameters);
};

// The rate falls with every step, so that a frozen one shows.
inline optim::Schedule falling(double eta0) { return optim::exponential_lr(eta0, 0.9); }

inline const std::vector<Optimised>& every_optimizer() {
  using namespace optim;
  static const std::vector<Optimised> list = {
      {"SGD",
       [](const ParameterList& p) -> Optimizer {
         return SGD{p, {.learning_rate = falling(0.1)}};
       }},
      {"SGD with decay",
       [](const ParameterList& p) -> Optimizer {
         return SGD{p, {.learning_rate = falling(0.1), .weight_decay = 0.1}};
       }},
      {"SGD with momentum",
       [](const ParameterList& p) -> Optimizer {
         return SGD{p, {.learning_rate = falling(0.1), .momentum = 0.9, .dampening = 0.2}};
       }},
      {"SGD with a momentum that falls",
       [](const ParameterList& p) -> Optimizer {
         return SGD{p, {.learning_rate = 0.1, .momentum = falling(0.9), .nesterov = true}};
       }},
      {"Adam",
       [](const ParameterList& p) -> Optimizer {
         return Adam{p, {.learning_rate = 0.01}};
       }},
      {"Adam with amsgrad",
       [](const ParameterList& p) -> Optimizer {
         return Adam{p, {.learning_rate = falling(0.01), .betas = {falling(0.9), 0.99}, .amsgrad = true}};
       }},
      {"AdamW",
       [](const ParameterList& p) -> Optimizer {
         return AdamW{p, {.learning_rate = falling(0.01)}};
       }},
      {"RMSprop",
       [](const ParameterList& p) -> Optimizer {
         return RMSprop{p, {.learning_rate = falling(0.01)}};
       }},
      {"RMSprop, centered",
       [](const ParameterList& p) -> Optimizer {
         return RMSprop{p, {.learning_rate = falling(0.01), .centered = true}};
       }},
      {"RMSprop with momentum",
       [](const ParameterList& p) -> Optimizer {
         return RMSprop{p, {.learning_rate = falling(0.01), .momentum = 0.8}};
       }},
      {"RMSprop, centered, with momentum",
       [](const ParameterList& p) -> Optimizer {
         return RMSprop{p, {.learning_rate = falling(0.01), .momentum = falling(0.8), .centered = true}};
       }},
      {"Adagrad",
       [](const ParameterList& p) -> Optimizer {
         return Adagrad{p, {.learning_rate = 0.1, .lr_decay = 0.1}};
       }},
      {"Adadelta",
       [](const ParameterList& p) -> Optimizer {
         return Adadelta{p, {.learning_rate = falling(1)}};
       }},
      {"NAdam",
       [](const ParameterList& p) -> Optimizer {
         return NAdam{p, {.learning_rate = 0.01}};
       }},
      {"RAdam",
       [](const ParameterList& p) -> Optimizer {
         return RAdam{p, {.learning_rate = 0.01}};
       }},
      {"Lion",
       [](const ParameterList& p) -> Optimizer {
         return Lion{p, {.learning_rate = falling(0.01), .weight_decay = 0.1}};
       }},
  };
  return list;
}

}  // namespace tapegrad::testing
