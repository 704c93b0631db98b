#include "autograd/ops/steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "autograd/apply.h"
#include "autograd/body.h"
#include "autograd/ops.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

namespace tapegrad::ops {
namespace {

// What all steps share. T names the operands.
template <class T, Step S, class N>
struct StepOp {
  using Numbers = N;
  static constexpr Step step = S;
  static constexpr Flags flags = {.in_place = true, .non_differentiable = "a step of an optimiser"};

  static constexpr int count() { return static_cast<int>(sizeof(Numbers) / sizeof(double)); }

  static void shape(Call& call) {
    call.require_floating(0);
    if (call.dtype(1) != DType::float64 || call.rank(1) != 1 || call.numel(1) != count())
      call.shape_error(fmt::format("expected numbers to be float64[{}]", count()));
    for (int i = 2; i < call.inputs(); ++i) {
      call.require_same_dtype(0, i);
      if (!call.same_shape(0, i))
        call.shape_error("expected one shape of the gradient, the weights and the state");
      call.output_like(call.dtype(i), i);
    }
  }
  static void forward(Call& call) {
    kernels::StepArrays arrays{call.in(0).data, {}, {}};
    for (int k = 0; k < call.outputs(); ++k) {
      arrays.from[k] = call.in(k + 2).data;
      arrays.to[k] = call.out_data(k);
    }
    kernels::run_step(S, call.dtype(0), arrays, call.data<double>(1), call.numel(0));
  }
  // About two operations for each number, each array read and, but for g, written.
  static Cost cost(const Call& call) {
    const double arrays = call.inputs() - 2;
    return {2.0 * count() * static_cast<double>(call.numel(0)),
            (1 + 2 * arrays) * static_cast<double>(call.in(0).bytes())};
  }
  static void samples(Samples& s) {
    auto operands = [&](const Shape& shape) {
      std::vector<Tensor> list = {s.normal(shape), s.rng().uniform({count()}, 0.1, 0.9, DType::float64)};
      while (list.size() < std::size(T::operands)) list.push_back(square(s.normal(shape)));
      return list;
    };
    if (s.benchmark()) return s.add(operands({1 << 20}));
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{5}, Shape{3, 37}, Shape{0, 2}})
      s.add(operands(shape));
    std::vector<Tensor> bad = operands({4});
    bad[2] = s.normal({5});
    s.add_error("expected one shape", bad);
    bad = operands({4});
    bad[1] = s.normal({count() + 1});
    s.add_error("expected numbers", bad);
  }
};

struct Sgd : StepOp<Sgd, Step::sgd, SgdNumbers> {
  static constexpr std::string_view name = "sgd_step", doc = "w ← w − η g";
  static constexpr std::string_view operands[] = {"g", "numbers", "w"};
};
struct SgdMomentum : StepOp<SgdMomentum, Step::sgd_momentum, SgdNumbers> {
  static constexpr std::string_view name = "sgd_momentum_step", doc = "v ← μ v + (1−τ) g, w ← w − η v";
  static constexpr std::string_view operands[] = {"g", "numbers", "w", "momentum_buffer"};
};
struct Adam : StepOp<Adam, Step::adam, AdamNumbers> {
  static constexpr std::string_view name = "adam_step",
                                    doc = "means m of g and v of g², w ← w − η m/(√v + ε)";
  static constexpr std::string_view operands[] = {"g", "numbers", "w", "exp_avg", "exp_avg_sq"};
};
struct AdamAmsgrad : StepOp<AdamAmsgrad, Step::adam_amsgrad, AdamNumbers> {
  static constexpr std::string_view name = "adam_amsgrad_step", doc = "adam_step by the largest v so far";
  static constexpr std::string_view operands[] = {"g",       "numbers",    "w",
                                                  "exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
};
struct Rmsprop : StepOp<Rmsprop, Step::rmsprop, RmspropNumbers> {
  static constexpr std::string_view name = "rmsprop_step", doc = "mean s of g², w ← w − η g/(√s + ε)";
  static constexpr std::string_view operands[] = {"g", "numbers", "w", "square_avg"};
};
struct RmspropCentered : StepOp<RmspropCentered, Step::rmsprop_centered, RmspropNumbers> {
  static constexpr std::string_view name = "rmsprop_centered_step", doc = "rmsprop_step by the variance of g";
  static constexpr std::string_view operands[] = {"g", "numbers", "w", "square_avg", "grad_avg"};
};
struct RmspropMomentum : StepOp<RmspropMomentum, Step::rmsprop_momentum, RmspropNumbers> {
  static constexpr std::string_view name = "rmsprop_momentum_step", doc = "rmsprop_step with momentum";
  static constexpr std::string_view operands[] = {"g", "numbers", "w", "square_avg", "momentum_buffer"};
};
struct RmspropCenteredMomentum
    : StepOp<RmspropCenteredMomentum, Step::rmsprop_centered_momentum, RmspropNumbers> {
  static constexpr std::string_view name = "rmsprop_centered_momentum_step",
                                    doc = "rmsprop_step by the variance of g, with momentum";
  static constexpr std::string_view operands[] = {"g",          "numbers",  "w",
                                                  "square_avg", "grad_avg", "momentum_buffer"};
};
struct Adagrad : StepOp<Adagrad, Step::adagrad, AdagradNumbers> {
  static constexpr std::string_view name = "adagrad_step", doc = "s ← s + g², w ← w − η g/(√s + ε)";
  static constexpr std::string_view operands[] = {"g", "numbers", "w", "sum"};
};
struct Adadelta : StepOp<Adadelta, Step::adadelta, AdadeltaNumbers> {
  static constexpr std::string_view name = "adadelta_step",
                                    doc = "means s of g² and u of d², d = g √(u + ε)/√(s + ε), w ← w − η d";
  static constexpr std::string_view operands[] = {"g", "numbers", "w", "square_avg", "acc_delta"};
};
struct Nadam : StepOp<Nadam, Step::nadam, NadamNumbers> {
  static constexpr std::string_view name = "nadam_step", doc = "adam_step with Nesterov's momentum";
  static constexpr std::string_view operands[] = {"g", "numbers", "w", "exp_avg", "exp_avg_sq"};
};
struct Radam : StepOp<Radam, Step::radam, RadamNumbers> {
  static constexpr std::string_view name = "radam_step", doc = "adam_step, rectified";
  static constexpr std::string_view operands[] = {"g", "numbers", "w", "exp_avg", "exp_avg_sq"};
};
struct Lion : StepOp<Lion, Step::lion, LionNumbers> {
  static constexpr std::string_view name = "lion_step", doc = "w ← w − η sign(β₁ m + (1−β₁) g), mean m of g";
  static constexpr std::string_view operands[] = {"g", "numbers", "w", "exp_avg"};
};
struct Average : StepOp<Average, Step::average, AverageNumbers> {
  static constexpr std::string_view name = "average_step", doc = "a ← a + part (x − a)";
  static constexpr std::string_view operands[] = {"x", "numbers", "a"};
};

template <class... T>
struct OpList {
  static constexpr const Op* kOps[] = {&op<T>...};
  static constexpr int kNumbers[] = {T::count()...};
  // Each stands at the place of its step.
  static constexpr bool in_order() {
    int k = 0;
    return ((static_cast<int>(T::step) == k++) && ...) && k == static_cast<int>(Step::count);
  }
};
using Steps = OpList<Sgd, SgdMomentum, Adam, AdamAmsgrad, Rmsprop, RmspropCentered, RmspropMomentum,
                     RmspropCenteredMomentum, Adagrad, Adadelta, Nadam, Radam, Lion, Average>;
static_assert(Steps::in_order());

}  // namespace

const Op& step_op(Step step) { return *Steps::kOps[static_cast<size_t>(step)]; }
int64_t step_numbers(const Op& op) {
  const auto* const at = std::find(std::begin(Steps::kOps), std::end(Steps::kOps), &op);
  return Steps::kNumbers[at - Steps::kOps];
}
std::span<const Op* const> steps() { return Steps::kOps; }

}  // namespace tapegrad::ops
