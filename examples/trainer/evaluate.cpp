#include "examples/trainer/evaluate.h"

#include <numeric>

namespace trainer {

using namespace tapegrad;

double Predictions::mean_loss() const {
  return std::accumulate(loss.begin(), loss.end(), 0.0) / static_cast<double>(loss.size());
}

double Predictions::accuracy() const {
  int64_t right = 0;
  for (size_t i = 0; i < truth.size(); ++i) right += truth[i] == chosen[i] ? 1 : 0;
  return static_cast<double>(right) / static_cast<double>(truth.size());
}

Predictions predict(const nn::FeedForward& net, const nn::Dataset& data) {
  constexpr int64_t kBatch = 1000;
  Predictions result;
  const auto append = [](auto& list, const auto& more) { list.insert(list.end(), more.begin(), more.end()); };
  for (const auto& [samples, labels] : nn::batches(data, kBatch)) {
    const Tensor logs = log_softmax(net(samples), 1);
    const Tensor losses = cast(nll_loss(logs, labels, Reduction::none), float64);
    const Tensor chosen = argmax(logs, 1), sure = cast(exp(amax(logs, Dims{1})), float64);
    append(result.truth, labels.data<int64_t>());
    append(result.chosen, chosen.data<int64_t>());
    append(result.loss, losses.data<double>());
    append(result.confidence, sure.data<double>());
  }
  return result;
}

}  // namespace trainer
