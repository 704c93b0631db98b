#pragma once

#include <cstdint>

#include "nn/data/data.h"
#include "nn/nn.h"

namespace trainer {

struct Score {
  double loss;      // mean over the samples
  double accuracy;  // part of the samples whose largest output is their label's
};

// How the net does on a data set. Without a tape nothing is recorded.
inline Score evaluate(const tapegrad::nn::FeedForward& net, const tapegrad::nn::Dataset& data) {
  using namespace tapegrad;
  constexpr int64_t kBatch = 1000;
  double loss = 0;
  int64_t right = 0;
  for (const auto& [images, labels] : nn::batches(data, kBatch)) {
    const Tensor logits = net(images);
    loss += cross_entropy(logits, labels, Reduction::sum).item();
    const Tensor chosen = argmax(logits, 1);
    const auto guess = chosen.data<int64_t>(), truth = labels.data<int64_t>();
    for (size_t i = 0; i < guess.size(); ++i) right += guess[i] == truth[i] ? 1 : 0;
  }
  const auto samples = static_cast<double>(data.size());
  return {loss / samples, static_cast<double>(right) / samples};
}

}  // namespace trainer
