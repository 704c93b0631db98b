// What optimisers and schedules refuse, word for word.

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "optim/optim.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using namespace tapegrad::optim;
using tapegrad::testing::message_of;

namespace {

const Parameter& parameter() {
  static const Parameter w(ones({2}), "w");
  return w;
}

// The message of an optimiser of kind T that is made with these options.
template <class T>
std::string refused(const typename T::Options& options) {
  return message_of<ArgumentError>([&] { T({parameter().ref()}, options); });
}

// Options that give a number for each field by its name.
template <class O>
O with(const std::string& option, double value) {
  O options;
  auto set = [&](const std::string& name, auto& to, Range = Range::any) {
    using To = std::remove_reference_t<decltype(to)>;
    if constexpr (std::is_same_v<To, Betas>) {
      if (option == name + "[0]") to.first = value;
      if (option == name + "[1]") to.second = value;
    } else if constexpr (!std::is_same_v<To, bool> && !std::is_same_v<To, LineSearch>) {
      if (option != name) return;
      if constexpr (std::is_same_v<To, Schedule> || std::is_same_v<To, double>) to = value;
      else to = static_cast<int64_t>(value);
    }
  };
  O::fields(options, set);
  return options;
}

struct Bad {
  const char* option;
  double value;
  const char* message;
};

template <class T>
void check(const std::vector<Bad>& list) {
  for (const Bad& bad : list)
    CHECK(refused<T>(with<typename T::Options>(bad.option, bad.value)) == bad.message);
  // Each numeric option is in the list, and what it may be is made.
  typename T::Options options;
  T::Options::fields(options, [&](const std::string& name, auto& value, Range range = Range::any) {
    using Value = std::remove_reference_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, bool> || std::is_same_v<Value, LineSearch>) return;
    (void)range;
    bool found = false;
    for (const Bad& bad : list) found = found || std::string(bad.option).starts_with(name);
    CHECK_MESSAGE(found, std::string(T::kName) << "'s " << name << " is in no case");
  });
  CHECK(refused<T>(options) == "nothing was thrown");
}

}  // namespace

TEST_CASE("optim/errors: options out of range") {
  const double nan = std::nan("");
  check<SGD>({
      {"learning_rate", -0.1, "[SGD] learning_rate must be finite and at least 0, given -0.1"},
      {"learning_rate", nan, "[SGD] learning_rate must be finite and at least 0, given nan"},
      {"momentum", -0.5, "[SGD] momentum must be finite and at least 0, given -0.5"},
      {"dampening", INFINITY, "[SGD] dampening must be finite, given inf"},
      {"weight_decay", -1, "[SGD] weight_decay must be finite and at least 0, given -1"},
  });
  check<Adam>({
      {"learning_rate", INFINITY, "[Adam] learning_rate must be finite and at least 0, given inf"},
      {"betas[0]", 1, "[Adam] betas[0] must be at least 0 and below 1, given 1"},
      {"betas[1]", -0.1, "[Adam] betas[1] must be at least 0 and below 1, given -0.1"},
      {"eps", -1e-8, "[Adam] eps must be finite and at least 0, given -1e-08"},
      {"weight_decay", nan, "[Adam] weight_decay must be finite and at least 0, given nan"},
  });
  check<AdamW>({
      {"learning_rate", -1, "[AdamW] learning_rate must be finite and at least 0, given -1"},
      {"betas[0]", -1, "[AdamW] betas[0] must be at least 0 and below 1, given -1"},
      {"betas[1]", 1, "[AdamW] betas[1] must be at least 0 and below 1, given 1"},
      {"eps", nan, "[AdamW] eps must be finite and at least 0, given nan"},
      {"weight_decay", -0.5, "[AdamW] weight_decay must be finite and at least 0, given -0.5"},
  });
  check<RMSprop>({
      {"learning_rate", -1, "[RMSprop] learning_rate must be finite and at least 0, given -1"},
      {"alpha", 1.5, "[RMSprop] alpha must be at least 0 and at most 1, given 1.5"},
      {"eps", -1, "[RMSprop] eps must be finite and at least 0, given -1"},
      {"weight_decay", -1, "[RMSprop] weight_decay must be finite and at least 0, given -1"},
      {"momentum", -1, "[RMSprop] momentum must be finite and at least 0, given -1"},
  });
  check<Adagrad>({
      {"learning_rate", -1, "[Adagrad] learning_rate must be finite and at least 0, given -1"},
      {"lr_decay", -1, "[Adagrad] lr_decay must be finite and at least 0, given -1"},
      {"weight_decay", -1, "[Adagrad] weight_decay must be finite and at least 0, given -1"},
      {"initial_accumulator_value", -1,
       "[Adagrad] initial_accumulator_value must be finite and at least 0, given -1"},
      {"eps", -1, "[Adagrad] eps must be finite and at least 0, given -1"},
  });
  check<Adadelta>({
      {"learning_rate", -1, "[Adadelta] learning_rate must be finite and at least 0, given -1"},
      {"rho", 1.25, "[Adadelta] rho must be at least 0 and at most 1, given 1.25"},
      {"eps", -1, "[Adadelta] eps must be finite and at least 0, given -1"},
      {"weight_decay", -1, "[Adadelta] weight_decay must be finite and at least 0, given -1"},
  });
  check<NAdam>({
      {"learning_rate", -1, "[NAdam] learning_rate must be finite and at least 0, given -1"},
      {"betas[0]", 1, "[NAdam] betas[0] must be at least 0 and below 1, given 1"},
      {"eps", -1, "[NAdam] eps must be finite and at least 0, given -1"},
      {"weight_decay", -1, "[NAdam] weight_decay must be finite and at least 0, given -1"},
      {"momentum_decay", -1, "[NAdam] momentum_decay must be finite and at least 0, given -1"},
  });
  check<RAdam>({
      {"learning_rate", -1, "[RAdam] learning_rate must be finite and at least 0, given -1"},
      {"betas[1]", 2, "[RAdam] betas[1] must be at least 0 and below 1, given 2"},
      {"eps", -1, "[RAdam] eps must be finite and at least 0, given -1"},
      {"weight_decay", -1, "[RAdam] weight_decay must be finite and at least 0, given -1"},
  });
  check<Lion>({
      {"learning_rate", -1, "[Lion] learning_rate must be finite and at least 0, given -1"},
      {"betas[0]", nan, "[Lion] betas[0] must be at least 0 and below 1, given nan"},
      {"weight_decay", -1, "[Lion] weight_decay must be finite and at least 0, given -1"},
  });
  check<LBFGS>({
      {"learning_rate", -1, "[LBFGS] learning_rate must be finite and at least 0, given -1"},
      {"max_iter", 0, "[LBFGS] max_iter must be finite and above 0, given 0"},
      {"max_eval", -3, "[LBFGS] max_eval must be finite and above 0, given -3"},
      {"tolerance_grad", -1, "[LBFGS] tolerance_grad must be finite and at least 0, given -1"},
      {"tolerance_change", nan, "[LBFGS] tolerance_change must be finite and at least 0, given nan"},
      {"history_size", 0, "[LBFGS] history_size must be finite and above 0, given 0"},
  });
  CHECK(refused<SGD>({.learning_rate = 0.1, .nesterov = true}) ==
        "[SGD] nesterov needs momentum above 0 and dampening 0, given momentum 0 and dampening 0");
  CHECK(refused<SGD>({.momentum = exponential_lr(0.9, 0.9), .dampening = 0.5, .nesterov = true}) ==
        "[SGD] nesterov needs momentum above 0 and dampening 0, given momentum by a schedule and dampening "
        "0.5");
}

TEST_CASE("optim/errors: a schedule that goes out of range does so at a step, which changes nothing") {
  const Parameter w(ones({2}), "w");
  Gradients g;
  g.add({w.ref(), 0, 0, ones({2})});
  auto at_step_3 = [](double good, double bad) -> Schedule {
    return [=](int64_t t) { return t < 3 ? good : bad; };
  };
  auto refused_step = [&](auto optimizer) {
    optimizer.step(g);
    optimizer.step(g);
    const Tensor before = w.value();
    const std::string message = message_of<ArgumentError>([&] { optimizer.step(g); });
    CHECK(equal(w.value(), before));
    CHECK(optimizer.t() == 2);
    return message;
  };
  CHECK(refused_step(Adam{{w.ref()}, {.learning_rate = at_step_3(0.1, -0.5)}}) ==
        "[Adam] learning_rate must be finite and at least 0, given -0.5 at step 3");
  CHECK(refused_step(SGD{{w.ref()}, {.momentum = at_step_3(0.5, NAN)}}) ==
        "[SGD] momentum must be finite and at least 0, given nan at step 3");
  CHECK(refused_step(AdamW{{w.ref()}, {.betas = {at_step_3(0.5, 1), 0.9}}}) ==
        "[AdamW] betas[0] must be at least 0 and below 1, given 1 at step 3");
}

TEST_CASE("optim/errors: lists of parameters") {
  const Parameter& w = parameter();
  CHECK(message_of<ArgumentError>([] { Adam{ParameterList{}}; }) == "[Adam] the list of parameters is empty");
  CHECK(message_of<ArgumentError>([] { Adam{Adam::Groups{}}; }) == "[Adam] the list of groups is empty");
  CHECK(message_of<ArgumentError>([&] {
          Adam{ParameterList{w.ref(), CellRef()}};
        }) == "[Adam] parameter 1 is undefined");
  CHECK(message_of<ArgumentError>([&] {
          Lion{ParameterList{w.ref(), w.ref()}};
        }) == "[Lion] \"w\" is in the list twice");
  CHECK(message_of<ArgumentError>([&] {
          Adam{Adam::Groups{{{w.ref()}, {}}, {{w.ref()}, {}}}};
        }) == "[Adam] \"w\" is in the list twice");
  CHECK(message_of<ArgumentError>([&] {
          Adam{Adam::Groups{{{w.ref()}, {}}, {{}, {}}}};
        }) == "[Adam] the list of parameters of group 1 is empty");
  CHECK(message_of<ArgumentError>([] { LBFGS{ParameterList{}}; }) ==
        "[LBFGS] the list of parameters is empty");
  CHECK(message_of<ArgumentError>([] { AveragedModel{ParameterList{}}; }) ==
        "[AveragedModel] the list of parameters is empty");
  CHECK(message_of<ArgumentError>([&] { AveragedModel({w.ref()}, {.decay = 1.5}); }) ==
        "[AveragedModel] decay must be at least 0 and at most 1, given 1.5");
}

TEST_CASE("optim/errors: gradients that are not like their parameters") {
  const Parameter w(ones({2}), "w");
  Adam adam{{w.ref()}};
  Gradients wrong_shape, wrong_dtype;
  wrong_shape.add({w.ref(), 0, 0, ones({3})});
  wrong_dtype.add({w.ref(), 0, 0, ones({2}, float64)});
  CHECK(message_of<ShapeError>([&] { adam.step(wrong_shape); }) ==
        "[Adam] the gradient of \"w\" is float32[3], the parameter float32[2]");
  CHECK(message_of<DTypeError>([&] { adam.step(wrong_dtype); }) ==
        "[Adam] the gradient of \"w\" is float64[2], the parameter float32[2]");
}

TEST_CASE("optim/errors: schedules") {
  auto refused_by = [](auto make) { return message_of<ArgumentError>(make); };
  CHECK(refused_by([] { step_lr(0.1, 0); }) == "[step_lr] step_size must be at least 1, given 0");
  CHECK(refused_by([] { step_lr(-1, 3); }) == "[step_lr] eta0 must be finite and at least 0, given -1");
  CHECK(refused_by([] {
          multi_step_lr(0.1, {5, 3});
        }) == "[multi_step_lr] milestones must rise from at least 0, given 3 at place 1");
  CHECK(refused_by([] { exponential_lr(0.1, NAN); }) ==
        "[exponential_lr] gamma must be finite and at least 0, given nan");
  CHECK(refused_by([] { polynomial_lr(0.1, 0); }) ==
        "[polynomial_lr] total_iters must be at least 1, given 0");
  CHECK(refused_by([] { polynomial_lr(0.1, 5, -1); }) ==
        "[polynomial_lr] power must be finite and at least 0, given -1");
  CHECK(refused_by([] { linear_lr(0.1, 1.5); }) ==
        "[linear_lr] start_factor must be at least 0 and at most 1, given 1.5");
  CHECK(refused_by([] { constant_lr(0.1, 0.5, -1); }) ==
        "[constant_lr] total_iters must be at least 0, given -1");
  CHECK(refused_by([] { cosine_annealing_lr(0.1, 0); }) ==
        "[cosine_annealing_lr] T_max must be at least 1, given 0");
  CHECK(refused_by([] { cosine_annealing_warm_restarts(0.1, 5, 0); }) ==
        "[cosine_annealing_warm_restarts] T_mult must be at least 1, given 0");
  CHECK(refused_by([] {
          sequential_lr({0.1, 0.2}, {});
        }) == "[sequential_lr] expected one milestone less than schedules, given 0 and 2");
  CHECK(refused_by([] { swa_lr(0.1, -0.1); }) ==
        "[swa_lr] swa_eta must be finite and at least 0, given -0.1");
  CHECK(refused_by([] { one_cycle_lr(0.1, 0); }) == "[one_cycle_lr] total_steps must be at least 1, given 0");
  CHECK(refused_by([] { one_cycle_lr(0.1, 10, {.pct_start = 1.1}); }) ==
        "[one_cycle_lr] pct_start must be at least 0 and at most 1, given 1.1");
  CHECK(refused_by([] { one_cycle_lr(0.1, 10, {.max_momentum = 1}); }) ==
        "[one_cycle_lr] max_momentum must be at least 0 and below 1, given 1");
  CHECK(refused_by([] { one_cycle_lr(0.1, 10, {.div_factor = 0}); }) ==
        "[one_cycle_lr] div_factor must be finite and above 0, given 0");
  CHECK(refused_by([] { ReduceLROnPlateau(0.1, {.factor = 1}); }) ==
        "[ReduceLROnPlateau] factor must be at least 0 and below 1, given 1");
  CHECK(refused_by([] { ReduceLROnPlateau(0.1, {.patience = -1}); }) ==
        "[ReduceLROnPlateau] patience must be at least 0, given -1");
  CHECK(refused_by([] { inverse_time(0.1, -1); }) ==
        "[schedule] decay must be finite and at least 0, given -1");
}
