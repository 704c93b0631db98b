#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "autograd/export.h"
#include "optim/options.h"
#include "optim/schedule.h"

// Schedules by PyTorch's names and with its numbers: eta(t) is what torch.optim.lr_scheduler gives after t −
// 1 steps, k = t − 1. Functions of t alone, so they hold in a replay and need no state in a checkpoint. All
// throw ArgumentError naming themselves, what was expected and what was given.

namespace tapegrad::optim {

// eta0·gamma^⌊k/step_size⌋
TAPEGRAD_API Schedule step_lr(double eta0, int64_t step_size, double gamma = 0.1);
// eta0·gamma^(how many milestones are ≤ k)
TAPEGRAD_API Schedule multi_step_lr(double eta0, std::vector<int64_t> milestones, double gamma = 0.1);
// eta0·gamma^k
TAPEGRAD_API Schedule exponential_lr(double eta0, double gamma);
// eta0·(1 − min(k, total_iters)/total_iters)^power
TAPEGRAD_API Schedule polynomial_lr(double eta0, int64_t total_iters = 5, double power = 1);
// Warm-up: eta0 times a factor that goes from start_factor in a line to end_factor at k = total_iters, and
// stays
TAPEGRAD_API Schedule linear_lr(double eta0, double start_factor = 1.0 / 3, double end_factor = 1,
                                int64_t total_iters = 5);
// Warm-up: eta0·factor while k < total_iters, then eta0
TAPEGRAD_API Schedule constant_lr(double eta0, double factor = 1.0 / 3, int64_t total_iters = 5);
// eta_min + (eta0 − eta_min)·(1 + cos(π k/T_max))/2, which rises again after T_max
TAPEGRAD_API Schedule cosine_annealing_lr(double eta0, int64_t T_max, double eta_min = 0);
// The cosine from eta0 to eta_min over T_0 steps, then over T_0·T_mult, T_0·T_mult², …
TAPEGRAD_API Schedule cosine_annealing_warm_restarts(double eta0, int64_t T_0, int64_t T_mult = 1,
                                                     double eta_min = 0);
// The first schedule until k reaches the first milestone, then the second from its beginning, and so on
TAPEGRAD_API Schedule sequential_lr(std::vector<Schedule> schedules, std::vector<int64_t> milestones);
// From eta0 to swa_eta within anneal_epochs, by the cosine or in a line, then constant: for averaged weights
TAPEGRAD_API Schedule swa_lr(double eta0, double swa_eta, int64_t anneal_epochs = 10, bool linear = false);

struct OneCycleOptions {
  double pct_start = 0.3;  // the part of the steps in which the rate rises
  bool linear = false;     // in lines instead of cosines: anneal_strategy
  double base_momentum = 0.85;
  double max_momentum = 0.95;
  double div_factor = 25;         // it starts at max_eta/div_factor
  double final_div_factor = 1e4;  // and ends at the start's rate over this
  bool three_phase = false;
};

// Two schedules that go together.
struct OneCycle {
  Schedule learning_rate;
  Schedule momentum;  // for SGD's and RMSprop's momentum, and for betas.first
};

// The rate rises to max_eta and falls below its start within total_steps, the momentum the other way (Smith
// and Topin 2019); both stay as they end:
//   const auto cycle = one_cycle_lr(0.1, 1000);
//   SGD sgd{parameters(net), {.learning_rate = cycle.learning_rate, .momentum = cycle.momentum}};
TAPEGRAD_API OneCycle one_cycle_lr(double max_eta, int64_t total_steps, OneCycleOptions options = {});

enum class PlateauMode : uint8_t { min, max };
enum class ThresholdMode : uint8_t { rel, abs };

struct ReduceLROnPlateauOptions {
  PlateauMode mode = PlateauMode::min;  // whether a better metric is lower or higher
  double factor = 0.1;
  int64_t patience = 10;  // so many steps without an improvement change nothing
  double threshold = 1e-4;
  ThresholdMode threshold_mode = ThresholdMode::rel;
  int64_t cooldown = 0;
  double min_lr = 0;
  double eps = 1e-8;  // a smaller change of the rate is left out
};

// The rate times `factor` whenever the metric has stopped improving. A handle: copies share the state.
//   ReduceLROnPlateau plateau{0.1, {.patience = 3}};
//   Adam adam{parameters(net), {.learning_rate = plateau}};
//   plateau.step(validation_loss);  // once per epoch
class TAPEGRAD_API ReduceLROnPlateau {
 public:
  struct State {
    double learning_rate;
    double best;
    int64_t num_bad_epochs = 0;
    int64_t cooldown_counter = 0;
  };

  explicit ReduceLROnPlateau(double eta0, ReduceLROnPlateauOptions options = {});

  // NaN counts as no improvement.
  void step(double metric);
  double learning_rate() const { return state_->learning_rate; }
  operator Schedule() const;

  // For checkpoints.
  State state() const { return *state_; }
  void load_state(const State& state) { *state_ = state; }

 private:
  bool is_better(double metric) const;

  ReduceLROnPlateauOptions options_;
  std::shared_ptr<State> state_;
};

}  // namespace tapegrad::optim
