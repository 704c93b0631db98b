#pragma once

#include <string>

#include "examples/trainer/data.h"
#include "examples/trainer/evaluate.h"
#include "examples/trainer/options.h"
#include "examples/trainer/training.h"

namespace trainer {

// What came out, for programs.
std::string json_text(const Options& options, const Data& data, const Outcome& outcome,
                      const Predictions& test, const tapegrad::nn::ConfusionMatrix& confusion,
                      int64_t parameters, uint64_t fingerprint);

}  // namespace trainer
