// The trajectories and rates of golden/optimizers.json, which PyTorch made; see golden/optimizers.py.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "optim/optim.h"

using namespace tapegrad;
using nlohmann::json;

namespace {

const json& golden() {
  static const json all = [] {
    std::ifstream file(TAPEGRAD_SOURCE_DIR "/tests/golden/optimizers.json");
    return json::parse(file);
  }();
  return all;
}

Tensor vector_of(const json& list) {
  const auto values = list.get<std::vector<double>>();
  return from_vector(values, {static_cast<int64_t>(values.size())});
}
Tensor matrix_of(const json& rows) {
  std::vector<Tensor> list;
  for (const json& row : rows) list.push_back(vector_of(row));
  return stack(list);
}

// The net of the script.
struct Net {
  Tensor x = matrix_of(golden()["x"]), y = vector_of(golden()["y"]);
  Parameter w{matrix_of(golden()["w"]), "w"}, b{vector_of(golden()["b"]), "b"},
      v{vector_of(golden()["v"]), "v"};

  ParameterList parameters() const { return {w.ref(), b.ref(), v.ref()}; }
  Tensor loss() const { return mean(square(matmul(tanh(matmul(x, w) + b), v) - y)); }
  Gradients gradients() const {
    Tape tape;
    return tape.gradient(loss());
  }
  std::vector<double> values() const {
    std::vector<double> all;
    for (const CellRef& p : parameters()) {
      for (double value : p.value().to_vector<double>()) all.push_back(value);
    }
    return all;
  }
};

// The largest difference, relative to the largest magnitude of the expected ones.
double error(const std::vector<double>& got, const std::vector<double>& expected) {
  REQUIRE(got.size() == expected.size());
  double worst = 0, scale = 0;
  for (double value : expected) scale = std::max(scale, std::abs(value));
  for (size_t i = 0; i < got.size(); ++i) {
    const double off = std::abs(got[i] - expected[i]);
    worst = off <= worst ? worst : off;  // NaN counts
  }
  return worst / scale;
}

// Every option that the case names; an unknown one fails.
class Options {
 public:
  explicit Options(const json& options) : left_(options.get<std::map<std::string, json>>()) {}
  ~Options() {
    for (const auto& [name, value] : left_) FAIL_CHECK("option " << name << " is not used");
  }
  template <class T>
  void operator()(const char* name, T& to) {
    const auto at = left_.find(name);
    if (at == left_.end()) return;
    read(at->second, to);
    left_.erase(at);
  }
  // All fields of an options struct; the learning rate is "lr" in the file.
  template <class O>
  O all() {
    O options;
    O::fields(options, [this](const std::string& name, auto& to, optim::Range = optim::Range::any) {
      (*this)(name == "learning_rate" ? "lr" : name.c_str(), to);
    });
    return options;
  }

 private:
  static void read(const json& from, optim::Schedule& to) { to = from.get<double>(); }
  static void read(const json& from, optim::Betas& to) {
    to = {from[0].get<double>(), from[1].get<double>()};
  }
  static void read(const json& from, optim::LineSearch& to) {
    REQUIRE(from == "strong_wolfe");
    to = optim::LineSearch::strong_wolfe;
  }
  static void read(const json& from, std::optional<int64_t>& to) { to = from.get<int64_t>(); }
  template <class T>
  static void read(const json& from, T& to) {
    to = from.get<T>();
  }
  std::map<std::string, json> left_;
};

using Make = std::function<optim::Optimizer(ParameterList, const json&)>;
template <class T>
std::pair<const std::string, Make> kind() {
  return {std::string(T::kName), [](ParameterList parameters, const json& options) -> optim::Optimizer {
            return T{std::move(parameters), Options(options).all<typename T::Options>()};
          }};
}

}  // namespace

TEST_CASE("optim/golden: every optimiser follows PyTorch over 100 steps, eagerly and in a program") {
  using namespace optim;
  const std::map<std::string, Make> kinds = {kind<SGD>(),     kind<Adam>(),    kind<AdamW>(),
                                             kind<RMSprop>(), kind<Adagrad>(), kind<Adadelta>(),
                                             kind<NAdam>(),   kind<RAdam>(),   kind<Lion>()};
  const auto steps = golden()["steps"].get<std::vector<int64_t>>();
  REQUIRE(steps.back() == 100);
  std::map<std::string, int> cases;
  for (const json& one : golden()["trajectories"]) {
    const std::string name = one["optimizer"], text = name + " " + one["options"].dump();
    CAPTURE(text);
    ++cases[name];
    const Net eager, recorded;
    Optimizer mine = kinds.at(name)(eager.parameters(), one["options"]);
    Optimizer other = kinds.at(name)(recorded.parameters(), one["options"]);
    Program program = capture_step(
        [&](Tensor) {
          Tape tape;
          const Tensor loss = recorded.loss();
          other.step(tape.gradient(loss));
          return loss;
        },
        recorded.x);
    program.check_every(0);
    size_t k = 0;
    for (int64_t t = 1; t <= 100; ++t) {
      mine.step(eager.gradients());
      program(recorded.x);
      if (t != steps[k]) continue;
      CAPTURE(t);
      CHECK(error(eager.values(), one["values"][k++]) <= 1e-9);
      CHECK(eager.values() == recorded.values());
    }
    CHECK(k == steps.size());
  }
  for (const auto& one : kinds) CHECK_MESSAGE(cases[one.first] >= 2, one.first);
}

TEST_CASE("optim/golden: groups with options of their own, and a parameter without a gradient now and then") {
  const Net net;
  optim::Adam adam{optim::Adam::Groups{
      {{net.w.ref()}, {.learning_rate = 0.01}},
      {{net.b.ref(), net.v.ref()}, {.learning_rate = 0.03, .betas = {0.7, 0.9}}},
  }};
  const auto steps = golden()["steps"].get<std::vector<int64_t>>();
  size_t k = 0;
  for (int64_t t = 1; t <= 100; ++t) {
    const Gradients all = net.gradients();
    Gradients some;
    for (const Gradients::Entry& entry : all.entries()) {
      if (t % 3 != 0 || entry.parameter.handle() != net.b.ref().handle()) some.add(entry);
    }
    adam.step(some);
    if (t != steps[k]) continue;
    CAPTURE(t);
    CHECK(error(net.values(), golden()["two_groups"][k++]) <= 1e-9);
  }
}

TEST_CASE("optim/golden: L-BFGS over 100 steps, with and without line search") {
  const auto steps = golden()["steps"].get<std::vector<size_t>>();
  int long_searches = 0;
  for (const json& one : golden()["lbfgs"]) {
    const std::string text = one["options"].dump();
    CAPTURE(text);
    const Net net;
    auto options = Options(one["options"]).all<optim::LBFGSOptions>();
    options.tolerance_grad = options.tolerance_change = 0;
    optim::LBFGS lbfgs{net.parameters(), options};
    const auto losses = one["losses"].get<std::vector<double>>();
    if (losses.size() == 100 && options.line_search_fn == optim::LineSearch::strong_wolfe) ++long_searches;
    size_t k = 0;
    for (size_t t = 1; t <= losses.size(); ++t) {
      CAPTURE(t);
      const double loss = lbfgs.step([&] {
        Tape tape;
        const Tensor value = net.loss();
        return ProgramResult{value, tape.gradient(value)};
      });
      // Of the residuals, not their squares, which an error of 1e-9 in the parameters moves by far more.
      CHECK(std::abs(std::sqrt(loss) - std::sqrt(losses[t - 1])) <= 1e-9 * std::sqrt(losses[0]));
      if (t == steps[k]) CHECK(error(net.values(), one["values"][k++]) <= 1e-9);
      // Once all samples are fitted, a search along the line is one through rounding errors.
      if (loss < 1e-20) continue;
      CHECK(lbfgs.n_iter() == one["n_iter"][t - 1]);
      CHECK(lbfgs.func_evals() == one["func_evals"][t - 1]);
    }
    CHECK(k == one["values"].size());
  }
  CHECK(long_searches == 2);
}

TEST_CASE("optim/golden: every schedule has PyTorch's rates") {
  using namespace optim;
  const std::map<std::string, Schedule> made = {
      {"step_lr", step_lr(0.3, 7, 0.8)},
      {"multi_step_lr", multi_step_lr(0.3, {5, 30, 30, 80}, 0.5)},
      {"exponential_lr", exponential_lr(0.3, 0.97)},
      {"polynomial_lr", polynomial_lr(0.3, 100, 1.7)},
      {"linear_lr", linear_lr(0.3, 0.1, 0.9, 40)},
      {"constant_lr", constant_lr(0.3, 0.25, 9)},
      {"cosine_annealing_lr", cosine_annealing_lr(0.3, 45, 0.01)},
      {"cosine_annealing_warm_restarts", cosine_annealing_warm_restarts(0.3, 9, 2, 0.01)},
      {"cosine_annealing_warm_restarts_even", cosine_annealing_warm_restarts(0.3, 17)},
      {"sequential_lr",
       sequential_lr({linear_lr(0.3, 0.1, 1, 10), exponential_lr(0.3, 0.95), exponential_lr(0.3, 0.9)},
                     {10, 60})},
      {"swa_lr", swa_lr(0.3, 0.05, 20)},
      {"swa_lr_linear", swa_lr(0.3, 0.05, 20, true)},
  };
  const std::map<std::string, OneCycle> cycles = {
      {"one_cycle_lr", one_cycle_lr(0.3, 110)},
      {"one_cycle_lr_linear", one_cycle_lr(0.3, 110,
                                           {.pct_start = 0.4,
                                            .linear = true,
                                            .base_momentum = 0.7,
                                            .max_momentum = 0.9,
                                            .div_factor = 10,
                                            .final_div_factor = 100})},
      {"one_cycle_lr_three_phase", one_cycle_lr(0.3, 110, {.three_phase = true})},
  };
  CHECK(golden()["schedules"].size() == made.size() + cycles.size());
  // Near 0 a rate is what is left of two of eta0's size.
  auto agrees = [](double got, double expected) {
    return std::abs(got - expected) <= 1e-9 * expected + 1e-15;
  };
  for (const auto& one : golden()["schedules"].items()) {
    const std::string& name = one.key();
    const json& rates = one.value();
    CAPTURE(name);
    REQUIRE(rates.size() >= 100);
    for (size_t k = 0; k < rates.size(); ++k) {
      CAPTURE(k);
      const auto t = static_cast<int64_t>(k + 1);
      if (made.contains(name)) {
        CHECK(agrees(made.at(name)(t), rates[k]));
      } else {
        CHECK(agrees(cycles.at(name).learning_rate(t), rates[k][0]));
        CHECK(agrees(cycles.at(name).momentum(t), rates[k][1]));
      }
    }
  }
}

TEST_CASE("optim/golden: the plateau has PyTorch's rates, and goes on from its state") {
  const json& plateaus = golden()["plateaus"];
  const auto metrics = plateaus["metrics"].get<std::vector<double>>();
  for (const json& one : plateaus["cases"]) {
    const std::string text = one["options"].dump();
    CAPTURE(text);
    optim::ReduceLROnPlateauOptions o;
    {
      Options options(one["options"]);
      std::string mode = "min", threshold_mode = "rel";
      options("mode", mode);
      options("threshold_mode", threshold_mode);
      options("factor", o.factor);
      options("patience", o.patience);
      options("threshold", o.threshold);
      options("cooldown", o.cooldown);
      options("min_lr", o.min_lr);
      options("eps", o.eps);
      o.mode = mode == "min" ? optim::PlateauMode::min : optim::PlateauMode::max;
      o.threshold_mode = threshold_mode == "rel" ? optim::ThresholdMode::rel : optim::ThresholdMode::abs;
    }
    optim::ReduceLROnPlateau plateau{0.1, o}, resumed{0.1, o};
    const optim::Schedule schedule = plateau;
    for (size_t k = 0; k < metrics.size(); ++k) {
      plateau.step(metrics[k]);
      CAPTURE(k);
      CHECK(error({schedule(1)}, {one["rates"][k]}) <= 1e-9);
      if (k == 37) resumed.load_state(plateau.state());
      if (k > 37) {
        resumed.step(metrics[k]);
        CHECK(resumed.learning_rate() == plateau.learning_rate());
      }
    }
  }
}
