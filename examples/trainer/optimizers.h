#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "examples/trainer/options.h"
#include "optim/optim.h"

namespace trainer {

std::vector<std::string> optimizer_names();
std::vector<std::string> schedule_names();

// An optimiser and, where its rate follows a plateau, what has to be told the held-out loss of each epoch.
struct Optimization {
  tapegrad::optim::Optimizer optimizer;
  std::optional<tapegrad::optim::ReduceLROnPlateau> plateau;
};

// What the options ask for, for a training of so many steps per epoch.
Optimization make_optimizer(const Options& options, const tapegrad::ParameterList& parameters,
                            int64_t steps_per_epoch);

}  // namespace trainer
