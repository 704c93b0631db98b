#include "examples/trainer/optimizers.h"

#include <algorithm>
#include <cmath>

namespace trainer {

using namespace tapegrad;

namespace {

using optim::Schedule;

struct Kind {
  const char* name;
  double learning_rate;  // where the options do not say
  optim::Optimizer (*make)(const Options& options, const ParameterList& parameters, const Schedule& rate);
};

template <class T>
optim::Optimizer make(const Options& options, const ParameterList& parameters, const Schedule& rate) {
  typename T::Options o;
  o.learning_rate = rate;
  if constexpr (requires { o.momentum; })
    o.momentum = options.momentum.value_or(std::is_same_v<T, optim::SGD> ? 0.9 : 0.0);
  if (options.weight_decay) o.weight_decay = *options.weight_decay;
  return T(parameters, o);
}

template <class T>
Kind kind(const char* name) {
  return {name, *typename T::Options{}.learning_rate.number(), &make<T>};
}

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> kAll = {
      {"sgd", 0.05, &make<optim::SGD>}, kind<optim::Adam>("adam"),         kind<optim::AdamW>("adamw"),
      kind<optim::NAdam>("nadam"),      kind<optim::RAdam>("radam"),       kind<optim::RMSprop>("rmsprop"),
      kind<optim::Adagrad>("adagrad"),  kind<optim::Adadelta>("adadelta"), kind<optim::Lion>("lion")};
  return kAll;
}

// The rate over n steps that starts at eta.
struct Form {
  const char* name;
  Schedule (*make)(double eta, int64_t n);
};
constexpr Form kForms[] = {
    {"constant", [](double eta, int64_t) { return optim::constant(eta); }},
    {"linear", [](double eta, int64_t n) { return optim::polynomial_lr(eta, n); }},
    {"cosine", [](double eta, int64_t n) { return optim::cosine_annealing_lr(eta, n); }},
    {"one_cycle", [](double eta, int64_t n) { return optim::one_cycle_lr(eta, n).learning_rate; }},
    {"step", [](double eta, int64_t n) { return optim::step_lr(eta, (n + 2) / 3); }},
    {"exponential",
     [](double eta, int64_t n) {
       return optim::exponential_lr(eta, std::pow(0.01, 1.0 / static_cast<double>(n)));
     }},
    {"inverse_time",
     [](double eta, int64_t n) { return optim::inverse_time(eta, 9.0 / static_cast<double>(n)); }},
};

// The rate that goes by the held-out loss instead of the step.
constexpr const char* kPlateau = "plateau";
constexpr optim::ReduceLROnPlateauOptions kPlateauOptions{.patience = 1};

Schedule make_schedule(const Options& options, double eta, int64_t steps, int64_t steps_per_epoch,
                       const std::optional<optim::ReduceLROnPlateau>& plateau) {
  const auto main = [&](int64_t n) -> Schedule {
    if (plateau) return *plateau;
    return std::find_if(std::begin(kForms), std::end(kForms),
                        [&](const Form& f) { return f.name == options.schedule; })
        ->make(eta, n);
  };
  const auto rise = static_cast<int64_t>(std::lround(options.warmup * static_cast<double>(steps_per_epoch)));
  const int64_t warm = std::min(rise, steps - 1);
  if (warm <= 0) return main(steps);
  return optim::sequential_lr(
      {optim::linear_lr(eta, 1.0 / static_cast<double>(warm + 1), 1, warm), main(steps - warm)}, {warm});
}

}  // namespace

std::vector<std::string> optimizer_names() {
  std::vector<std::string> names;
  for (const Kind& k : kinds()) names.emplace_back(k.name);
  return names;
}

std::vector<std::string> schedule_names() {
  std::vector<std::string> names;
  for (const Form& form : kForms) names.emplace_back(form.name);
  names.emplace_back(kPlateau);
  return names;
}

Optimization make_optimizer(const Options& options, const ParameterList& parameters,
                            int64_t steps_per_epoch) {
  const Kind& found = *std::find_if(kinds().begin(), kinds().end(),
                                    [&](const Kind& k) { return k.name == options.optimizer; });
  const double eta = options.lr > 0 ? options.lr : found.learning_rate;
  std::optional<optim::ReduceLROnPlateau> plateau;
  if (options.schedule == kPlateau) plateau.emplace(eta, kPlateauOptions);
  const Schedule rate =
      make_schedule(options, eta, options.epochs * steps_per_epoch, steps_per_epoch, plateau);
  return {found.make(options, parameters, rate), plateau};
}

}  // namespace trainer
