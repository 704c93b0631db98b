#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "autograd/export.h"
#include "autograd/parameter.h"
#include "optim/optimizer.h"

namespace tapegrad::optim {

struct AveragedModelOptions {
  // Set: an exponential moving average, a ← d·a + (1 − d)·w (EMA). Else the equal average of all updates
  // (SWA).
  std::optional<double> decay = {};
};

// Averages of parameters beside the parameters themselves, one pass over each per update; the first update
// takes them over. Works inside a Program.
//   AveragedModel ema{parameters(net), {.decay = 0.999}};
//   adam.step(tape.gradient(loss)); ema.update_parameters();
//   ema.swap(); … evaluate … ema.swap();
class TAPEGRAD_API AveragedModel {
 public:
  // Throws ArgumentError for an empty list, an undefined parameter, or a decay out of [0, 1].
  explicit AveragedModel(ParameterList parameters, AveragedModelOptions options = {});

  void update_parameters();
  int64_t n_averaged() const;
  // The averages, in the order of the parameters: snapshots.
  std::vector<Tensor> averages() const;
  // Exchanges parameters and averages.
  void swap();

  // For checkpoints: "n_averaged", and "0", "1", … for the averages.
  std::vector<NamedTensor> state() const;
  void load_state(const std::vector<NamedTensor>& state);

 private:
  struct Averages;
  std::shared_ptr<Averages> averages_;
};

}  // namespace tapegrad::optim
