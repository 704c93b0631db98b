#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "optim/optim.h"
#include "tests/support/op_function.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using namespace tapegrad::testing;
using optim::AveragedModel;

TEST_CASE("optim/averaged_model: equal and exponential averages, against a loop") {
  for (const bool exponential : {false, true}) {
    Rng rng{71};
    Parameter w(rng.normal({5}, float64), "w");
    AveragedModel average{{w.ref()}, {.decay = exponential ? std::optional(0.7) : std::nullopt}};
    std::vector<double> expected(5);
    for (int n = 1; n <= 6; ++n) {
      w = rng.normal({5}, float64);
      const std::vector<double> now = w.value().to_vector<double>();
      for (size_t i = 0; i < 5; ++i) {
        // The definitions: a mean of n, and the recursion of PyTorch's ema.
        expected[i] = n == 1 ? now[i]
                             : (exponential ? 0.7 * expected[i] + (1 - 0.7) * now[i]
                                            : (expected[i] * (n - 1) + now[i]) / n);
      }
      average.update_parameters();
      CHECK(average.n_averaged() == n);
      for (size_t i = 0; i < 5; ++i) {
        CHECK(std::abs(average.averages()[0].to_vector<double>()[i] - expected[i]) <= 1e-14);
      }
    }
  }
}

TEST_CASE("optim/averaged_model: in a program behind the step, live") {
  for (const std::optional<double> decay : {std::optional<double>(), std::optional(0.9)}) {
    auto make = [] {
      Rng rng{72};
      return Parameter(rng.normal({20}), "w");
    };
    const Parameter eager = make(), recorded = make();
    optim::Adam mine{{eager.ref()}, {.learning_rate = 0.1}}, other{{recorded.ref()}, {.learning_rate = 0.1}};
    AveragedModel my_average{{eager.ref()}, {.decay = decay}},
        other_average{{recorded.ref()}, {.decay = decay}};
    auto step = [](const Parameter& w, optim::Adam& adam, AveragedModel& average, const Tensor& x) {
      Tape tape;
      const Tensor loss = sum(square(w - x));
      adam.step(tape.gradient(loss));
      average.update_parameters();
      return loss;
    };
    Rng rng{73};
    Program program =
        capture_step([&](Tensor x) { return step(recorded, other, other_average, x); }, rng.normal({20}));
    program.check_every(0);
    CHECK(other_average.n_averaged() == 0);
    const void* const memory = other_average.averages()[0].handle()->data;
    for (int t = 1; t <= 5; ++t) {
      const Tensor x = rng.normal({20});
      step(eager, mine, my_average, x);
      program(x);
      CHECK(same_bits(eager.value(), recorded.value()));
      CHECK(same_bits(my_average.averages()[0], other_average.averages()[0]));
      CHECK(other_average.n_averaged() == t);
    }
    // At first it holds the parameter's own memory; from then on it is written in place.
    const void* const now = other_average.averages()[0].handle()->data;
    CHECK(now != memory);
    program(rng.normal({20}));
    CHECK(other_average.averages()[0].handle()->data == now);
    CHECK_FALSE(equal(my_average.averages()[0], eager.value()));
  }
}

TEST_CASE("optim/averaged_model: swapped for evaluation, and goes on from its state") {
  Parameter w(ones({3}), "w");
  AveragedModel average{{w.ref()}, {.decay = 0.5}};
  average.update_parameters();
  w = full({3}, 3.0);
  average.update_parameters();
  average.swap();
  CHECK(equal(w.value(), full({3}, 2.0)));
  average.swap();
  CHECK(equal(w.value(), full({3}, 3.0)));
  AveragedModel resumed{{w.ref()}, {.decay = 0.5}};
  resumed.load_state(average.state());
  average.update_parameters();
  resumed.update_parameters();
  CHECK(equal(resumed.averages()[0], average.averages()[0]));
  CHECK(resumed.n_averaged() == 3);
  CHECK(message_of<ShapeError>([&] {
          resumed.load_state({{"n_averaged", tensor(1)}, {"0", ones({4})}});
        }) == "[AveragedModel] state \"0\" is float32[4], expected float32[3]");
}
