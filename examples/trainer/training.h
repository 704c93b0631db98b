#pragma once

#include <cstdint>
#include <string>

#include "examples/trainer/data.h"
#include "examples/trainer/history.h"
#include "examples/trainer/options.h"
#include "nn/nn.h"

namespace trainer {

enum class End : uint8_t { complete, early, interrupted, not_finite };

// How a training went.
struct Outcome {
  End end = End::complete;
  int64_t epochs = 0;             // begun
  int64_t best_epoch = 0;         // whose weights the net has; with --patience the best, else the last
  double train_loss = 0;          // mean of the last epoch's steps
  double seconds = 0;             // of steps and evaluations
  double samples_per_second = 0;  // of steps alone
  std::string trouble;            // not_finite: what the check of every record found on the batch
};

// Trains the net as the options say, with a line per epoch for people and one in the history. The weights are
// whole after every step; a signal ends the training after the step under way.
Outcome train(const Options& options, const Data& data, const tapegrad::nn::FeedForward& net,
              tapegrad::Rng& rng, History& history);

// The loss of one batch by the options.
tapegrad::Tensor batch_loss(const Options& options, const tapegrad::nn::FeedForward& net,
                            const tapegrad::Tensor& samples, const tapegrad::Tensor& labels);

}  // namespace trainer
