#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "optim/optim.h"
#include "tests/support/op_function.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using namespace tapegrad::testing;
using optim::LBFGS;
using optim::LineSearch;

namespace {

// Σ 100·(x[i+1] − x[i]²)² + (1 − x[i])², with its minimum 0 at x = 1 (Rosenbrock 1960).
Tensor rosenbrock(const Tensor& x) {
  const int64_t n = x.size(0);
  const Tensor front = slice(x, 0, 0, n - 1), back = slice(x, 0, 1, n);
  return sum(square(back - square(front)) * 100.0 + square(1.0 - front));
}

// From the usual start: −1.2, 1, −1.2, 1, …
Parameter start(int64_t n) {
  std::vector<double> x(static_cast<size_t>(n));
  for (size_t i = 0; i < x.size(); ++i) x[i] = i % 2 == 0 ? -1.2 : 1;
  return Parameter(from_vector(x, {n}), "x");
}

ProgramResult evaluate(const Parameter& x) {
  Tape tape;
  const Tensor loss = rosenbrock(x);
  return {loss, tape.gradient(loss)};
}

}  // namespace

TEST_CASE("optim/lbfgs: solves Rosenbrock's function of 100 variables to 1e-10") {
  Parameter x = start(100);
  LBFGS lbfgs{{x.ref()},
              {.max_iter = 1000,
               .max_eval = 2000,
               .tolerance_grad = 1e-12,
               .tolerance_change = 0,
               .history_size = 20,
               .line_search_fn = LineSearch::strong_wolfe}};
  const double first = lbfgs.step([&] { return evaluate(x); });
  CHECK(first > 1000);
  CHECK(rosenbrock(x).item() <= 1e-20);
  for (const double value : x.value().to_vector<double>()) CHECK(std::abs(value - 1) <= 1e-10);
  CHECK(lbfgs.func_evals() <= 2000);
}

TEST_CASE("optim/lbfgs: a program as the closure, and goes on from its state") {
  const optim::LBFGSOptions options{
      .max_iter = 5, .history_size = 4, .line_search_fn = LineSearch::strong_wolfe};
  Parameter straight = start(10), other = start(10);
  LBFGS mine{{straight.ref()}, options}, before{{other.ref()}, options};
  Program loss = capture([&](Tensor one) { return rosenbrock(straight) * one; }, tensor(1.0, float64));
  for (int t = 0; t < 6; ++t) {
    mine.step([&] { return loss(tensor(1.0, float64)); });
    if (t == 3) {
      LBFGS after{{other.ref()}, options};
      after.load_state(before.state());
      before = after;
    }
    before.step([&] { return evaluate(other); });
    CHECK(same_bits(straight.value(), other.value()));
  }
  CHECK(mine.t() == 6);
  CHECK(before.n_iter() == mine.n_iter());
  // State of another size is refused.
  const Parameter small = start(4);
  LBFGS third{{small.ref()}, options};
  CHECK(message_of<ShapeError>([&] { third.load_state(mine.state()); }) ==
        "[LBFGS] state \"d\" is float64[10], expected float64[4]");
  CHECK(third.n_iter() == 0);
}

TEST_CASE("optim/lbfgs: several parameters, in float32") {
  Parameter a(zeros({3, 2}), "a"), b(zeros({}), "b");
  LBFGS lbfgs{{a.ref(), b.ref()}, {.line_search_fn = LineSearch::strong_wolfe}};
  auto closure = [&] {
    Tape tape;
    const Tensor loss = sum(square(a - 2.0)) + square(b + 1.0);
    return ProgramResult{loss, tape.gradient(loss)};
  };
  for (int t = 0; t < 3; ++t) lbfgs.step(closure);
  CHECK(allclose(a.value(), full({3, 2}, 2.0), 1e-6, 1e-6));
  CHECK(std::abs(b.value().item() + 1) <= 1e-6);
}

TEST_CASE("optim/lbfgs: a closure that throws leaves parameters and state as they were") {
  Parameter x = start(10);
  LBFGS lbfgs{{x.ref()}, {.line_search_fn = LineSearch::strong_wolfe}};
  lbfgs.step([&] { return evaluate(x); });
  const Tensor before = x.value();
  const std::vector<optim::NamedTensor> state = lbfgs.state();
  for (const int at : {1, 2, 7}) {
    int calls = 0;
    CHECK_THROWS_AS(lbfgs.step([&]() -> ProgramResult {
      if (++calls == at) throw std::runtime_error("enough");
      return evaluate(x);
    }),
                    std::runtime_error);
    CHECK(equal(x.value(), before));
    const std::vector<optim::NamedTensor> now = lbfgs.state();
    REQUIRE(now.size() == state.size());
    for (size_t k = 0; k < state.size(); ++k) CHECK(same_bits(now[k].value, state[k].value));
  }
}

TEST_CASE("optim/lbfgs: cannot be recorded, and a recording that tries changes nothing") {
  Parameter x = start(4);
  const Tensor before = x.value();
  LBFGS lbfgs{{x.ref()}};
  auto step = [&](Tensor one) {
    lbfgs.step([&] { return evaluate(x); });
    return one;
  };
  CHECK_THROWS_AS(capture_step(step, ones({})), GraphError);
  CHECK(equal(x.value(), before));
  CHECK(lbfgs.t() == 0);
}

TEST_CASE("optim/lbfgs: a parameter that took no part is named") {
  Parameter x = start(4), idle(ones({2}, float64), "idle");
  LBFGS lbfgs{{x.ref(), idle.ref()}};
  CHECK(message_of<GraphError>([&] { lbfgs.step([&] { return evaluate(x); }); }) ==
        "[LBFGS] took no part in the loss of the first step: \"idle\"; leave out what is not to be learned, "
        "or step "
        "with allow_unused");
  lbfgs.step([&] { return evaluate(x); }, {.allow_unused = true});
  CHECK(equal(idle.value(), ones({2}, float64)));
}
