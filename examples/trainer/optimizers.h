#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "examples/trainer/options.h"
#include "optim/optim.h"

namespace trainer {

std::vector<std::string> optimizer_names();
std::vector<std::string> schedule_names();

// The optimiser that the options ask for, for a training of so many steps per epoch.
tapegrad::optim::Optimizer make_optimizer(const Options& options, const tapegrad::ParameterList& parameters,
                                          int64_t steps_per_epoch);

}  // namespace trainer
