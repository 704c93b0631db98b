// advise(tape): formulas that it names, and near misses that it does not.

#include <string>
#include <vector>

#include "tests/support/faults.h"
#include "tests/support/test_op.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

// What advise says of f on a watched [3, 4] tensor of positive numbers.
template <class F>
std::vector<Advice> advice_on(const F& f) {
  Tape tape;
  f(tape.watch(Rng(5).uniform({3, 4}, 0.5, 2, float64)));
  return advise(tape);
}

// One piece of advice, at this file's line, with those words.
template <class F>
void advises(const F& f, std::initializer_list<std::string_view> words) {
  const std::vector<Advice> advice = advice_on(f);
  INFO(to_string(advice));
  REQUIRE(advice.size() == 1);
  CHECK(std::string(advice[0].where.file).ends_with("advise_test.cpp"));
  for (std::string_view word : words) CHECK(advice[0].message.find(word) != std::string::npos);
}

template <class F>
void is_silent(const F& f) {
  const std::vector<Advice> advice = advice_on(f);
  INFO(to_string(advice));
  CHECK(advice.empty());
}

// Stand-ins that advise knows by name.
struct Log1p : DoublingOp {
  static constexpr std::string_view name = "log1p";
  static void vjp(Vjp& v) { v.add(0, v.g()); }
};
struct Bce : DoublingOp {
  static constexpr std::string_view name = "binary_cross_entropy";
  static void vjp(Vjp& v) { v.add(0, v.g()); }
};
struct Nll : DoublingOp {
  static constexpr std::string_view name = "nll_loss";
  static void vjp(Vjp& v) { v.add(0, v.g()); }
};

}  // namespace

TEST_CASE("autograd/advise: the lines of both ops, the record, and the printed form") {
  Tape tape;
  const Tensor x = tape.watch(zeros({3, 4}));
  const int first = __LINE__ + 1;
  const Tensor p = softmax(x, 1);
  const int second = __LINE__ + 1;
  const Tensor y = log(p);
  const std::vector<Advice> advice = advise(tape);
  REQUIRE(advice.size() == 1);
  CHECK(advice[0].record == 1);
  CHECK(advice[0].where.line == second);
  CHECK(to_string(advice) ==
        "advise_test.cpp:" + std::to_string(second) +
            ": log of softmax (advise_test.cpp:" + std::to_string(first) +
            "): -inf with NaN gradients where a probability rounds to 0; use log_softmax\n");
  CHECK(y.numel() == 12);
}

TEST_CASE("autograd/advise: log of softmax") {
  advises([](const Tensor& x) { log(softmax(x, 1)); }, {"log of softmax", "use log_softmax"});
  advises([](const Tensor& x) { log(gather(softmax(x, 1), 1, tensor({{0}, {1}, {2}}))); }, {"log_softmax"});
  advises([](const Tensor& x) { log(reshape(transpose(softmax(x, 1), 0, 1), {2, 6})); }, {"log_softmax"});
  is_silent([](const Tensor& x) { log_softmax(x, 1); });
  is_silent([](const Tensor& x) { log(sum(softmax(x, 1), Dims{0})); });
  is_silent([](const Tensor& x) { log(softmax(x, 1) * x); });
  is_silent([](const Tensor& x) { exp(softmax(x, 1)); });
  is_silent([](const Tensor& x) { log(x) + softmax(x, 1); });
}

TEST_CASE("autograd/advise: log of sigmoid") {
  advises([](const Tensor& x) { log(sigmoid(x)); }, {"log of sigmoid", "use -softplus(-x)"});
  advises([](const Tensor& x) { log(x[1] * 1.0) + log(sigmoid(x[0])); }, {"log of sigmoid"});
  is_silent([](const Tensor& x) { log(tanh(x)); });
  is_silent([](const Tensor& x) { log(1.0 - sigmoid(x) * 0.5); });
}

TEST_CASE("autograd/advise: log of 1 + exp") {
  advises([](const Tensor& x) { log(1.0 + exp(x)); }, {"log of 1 + exp(x)", "use softplus"});
  advises([](const Tensor& x) { log(exp(x) + 1); }, {"use softplus"});
  advises([](const Tensor& x) { log(exp(x) + ones({}, float64)); }, {"use softplus"});
  advises([](const Tensor& x) { log(reshape(exp(-x), {-1}) + 1.0); }, {"use softplus"});
  advises([](const Tensor& x) { apply(op<Log1p>, {exp(x)}); }, {"log1p of exp(x)", "use softplus"});
  is_silent([](const Tensor& x) { log(exp(x) + 2.0); });
  is_silent([](const Tensor& x) { log(exp(x) - 1.0); });
  is_silent([](const Tensor& x) { log(exp(x) + exp(x)); });
  is_silent([](const Tensor& x) { log(1.0 + tanh(x)); });
  is_silent([](const Tensor& x) { apply(op<Log1p>, {x}); });
}

TEST_CASE("autograd/advise: root of a sum of squares") {
  advises([](const Tensor& x) { sqrt(sum(square(x))); }, {"sqrt of a sum of squares", "use norm"});
  advises([](const Tensor& x) { sqrt(sum(x * x, Dims{1})); }, {"use norm"});
  advises([](const Tensor& x) { sqrt(reshape(sum(pow(x, 2), Dims{1}, true), {3})); }, {"use norm"});
  is_silent([](const Tensor& x) { norm(x); });
  is_silent([](const Tensor& x) { sqrt(sum(x)); });
  is_silent([](const Tensor& x) { sqrt(sum(x * exp(x))); });
  is_silent([](const Tensor& x) { sqrt(sum(pow(x, 3))); });
  is_silent([](const Tensor& x) { sqrt(sum(square(x)) + 1e-6); });
  is_silent([](const Tensor& x) { sqrt(mean(square(x))); });
  is_silent([](const Tensor& x) { sum(square(x)); });
}

TEST_CASE("autograd/advise: mean of squares less square of the mean") {
  advises([](const Tensor& x) { mean(square(x)) - square(mean(x)); }, {"mean(x²) − mean(x)²", "use var"});
  advises(
      [](const Tensor& x) {
        const Tensor m = mean(x, Dims{1}, true);
        mean(x * x, Dims{1}, true) - m* m;
      },
      {"use var"});
  advises([](const Tensor& x) { mean(pow(x, 2), Dims{1}) - square(reshape(mean(x, Dims{1}, true), {3})); },
          {"use var"});
  is_silent([](const Tensor& x) { var(x, {}, 0); });
  is_silent([](const Tensor& x) { mean(square(x)) - square(mean(exp(x))); });
  is_silent([](const Tensor& x) { mean(square(x), Dims{1}) - square(mean(x)); });
  is_silent([](const Tensor& x) { square(mean(x)) - mean(square(x)); });
  is_silent([](const Tensor& x) { mean(square(x)) - mean(x); });
  is_silent([](const Tensor& x) { mean(square(x - mean(x))); });
}

TEST_CASE("autograd/advise: losses of probabilities") {
  advises([](const Tensor& x) { apply(op<Bce>, {sigmoid(x)}); },
          {"binary_cross_entropy of sigmoid", "use binary_cross_entropy_with_logits"});
  advises([](const Tensor& x) { apply(op<Bce>, {reshape(sigmoid(x), {-1})}); }, {"with_logits"});
  is_silent([](const Tensor& x) { apply(op<Bce>, {x}); });
  is_silent([](const Tensor& x) { apply(op<Bce>, {sigmoid(x) * 0.5}); });
  // Said once, of the loss, and not also of the log.
  advises([](const Tensor& x) { apply(op<Nll>, {log(softmax(x, 1))}); },
          {"nll_loss of log of softmax", "use cross_entropy"});
  is_silent([](const Tensor& x) { apply(op<Nll>, {log_softmax(x, 1)}); });
}

TEST_CASE("autograd/advise: several, in the order of the records, and none on an empty tape") {
  const std::vector<Advice> advice = advice_on([](const Tensor& x) {
    log(sigmoid(x));
    sqrt(sum(square(x)));
    log(softmax(x, 0));
  });
  REQUIRE(advice.size() == 3);
  CHECK(advice[0].message.starts_with("log of sigmoid"));
  CHECK(advice[1].message.starts_with("sqrt of a sum"));
  CHECK(advice[2].message.starts_with("log of softmax"));
  CHECK(advice[0].record < advice[1].record);
  CHECK(advise(Tape()).empty());
  // What the library's own rules record on the tape draws none.
  Tape tape;
  const Tensor x = tape.watch(Rng(5).uniform({3, 4}, 0.5, 2, float64));
  const Tensor y = norm(x) + tapegrad::std(x) + logsumexp(x) + sum(log_softmax(x, 1) + sigmoid(x));
  const Tensor g = tape.gradient(y, {.differentiable = true})[x];
  tape.gradient(sum(g), {.differentiable = true});
  CHECK(advise(tape).empty());
}
