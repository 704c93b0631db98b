#pragma once

#include <cstdint>
#include <vector>

#include "nn/nn.h"

namespace trainer {

// What a net says of the samples of a set.
struct Predictions {
  std::vector<int64_t> truth, chosen;  // classes
  std::vector<double> loss;            // of each sample
  std::vector<double> confidence;      // probability of the chosen class

  tapegrad::Tensor chosen_classes() const {
    return tapegrad::from_vector(chosen, {static_cast<int64_t>(chosen.size())});
  }
  double mean_loss() const;
  double accuracy() const;  // from 0 to 1
};

// Without a tape nothing is recorded. An end asked for by a signal does not cut it short.
Predictions predict(const tapegrad::nn::FeedForward& net, const tapegrad::nn::Dataset& data);

}  // namespace trainer
