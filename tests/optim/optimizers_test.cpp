// What is true of every optimiser: the same in a program, for any number of threads, after loading its state,
// on one element and on many; and what is refused.

#include "tests/optim/every.h"

#include <cmath>
#include <string>

#include "tests/support/faults.h"
#include "tests/support/op_function.h"

using namespace tapegrad;
using namespace tapegrad::testing;
using optim::Optimizer;

namespace {

// Sizes with and without a rest behind the last whole vector, one of a single element and an empty one.
struct Model {
  explicit Model(DType dtype = float32, uint64_t seed = 61) {
    Rng rng{seed};
    for (const Shape& shape : {Shape{5, 7}, Shape{}, Shape{1}, Shape{64}, Shape{0, 3}, Shape{3}})
      parameters.emplace_back(rng.normal(shape, dtype), "p" + std::to_string(parameters.size()));
  }
  ParameterList list() const {
    ParameterList cells;
    for (const Parameter& p : parameters) cells.push_back(p.ref());
    return cells;
  }
  // Gradients that depend on the values and on x.
  Tensor loss(const Tensor& x) const {
    Tensor total = sum(x) * 0.0;
    for (const Parameter& p : parameters)
      total = total + sum(sin(p * 3.0) * cast(sum(x), p.dtype()) + square(p));
    return total;
  }
  void step(Optimizer& optimizer, const Tensor& x) const {
    Tape tape;
    optimizer.step(tape.gradient(loss(x)));
  }
  bool same(const Model& other) const {
    bool same = true;
    for (size_t i = 0; i < parameters.size(); ++i)
      same = same && same_bits(parameters[i].value(), other.parameters[i].value());
    return same;
  }

  std::vector<Parameter> parameters;
};

Tensor input(Rng& rng, DType dtype) { return rng.normal({4}, dtype); }

Gradients one_gradient(const Parameter& p, const Tensor& g) {
  Gradients gradients;
  gradients.add({p.ref(), 0, 0, g});
  return gradients;
}

}  // namespace

TEST_CASE("optim/optimizers: a program takes the steps that eager takes, and its numbers are live") {
  for (const Optimised& one : every_optimizer()) {
    for (const DType dtype : {float32, float64}) {
      CAPTURE(one.what);
      const Model eager(dtype), recorded(dtype), frozen(dtype);
      Optimizer mine = one.make(eager.list()), other = one.make(recorded.list()),
                still = one.make(frozen.list());
      Rng rng{62};
      Program program = capture_step(
          [&](Tensor x) {
            Tape tape;
            const Tensor loss = recorded.loss(x);
            other.step(tape.gradient(loss));
            return loss;
          },
          input(rng, dtype));
      program.check_every(0);
      CHECK(other.t() == 0);
      const std::vector<optim::NamedTensor> beginning = still.state();
      bool changes = false;
      for (int64_t t = 1; t <= 6; ++t) {
        const Tensor x = input(rng, dtype);
        eager.step(mine, x);
        program(x);
        CHECK(eager.same(recorded));
        CHECK(mine.t() == t);
        CHECK(other.t() == t);
        // With the numbers of the first step all the time, but the state as it is, it goes another way.
        std::vector<optim::NamedTensor> state = still.state();
        for (optim::NamedTensor& entry : state) {
          if (entry.value.dtype() == int64) entry.value = zeros({}, int64);
          if (entry.name.ends_with(".mu_product")) entry.value = ones({}, float64);
        }
        still.load_state(state);
        frozen.step(still, x);
        changes = changes || !eager.same(frozen);
      }
      CHECK(changes);
      // Both ways can take turns.
      const Tensor x = input(rng, dtype);
      eager.step(mine, x);
      recorded.step(other, x);
      program(x);
      eager.step(mine, x);
      CHECK(eager.same(recorded));
      // And runs that are compared with the function itself.
      program.check_every(2);
      for (int t = 0; t < 4; ++t) {
        program(x);
        eager.step(mine, x);
        CHECK(eager.same(recorded));
      }
    }
  }
}

TEST_CASE("optim/optimizers: a program writes parameters and state in place") {
  for (const Optimised& one : every_optimizer()) {
    CAPTURE(one.what);
    Rng rng{69};
    const Parameter a(rng.normal({40, 30}), "a"), b(rng.normal({40}), "b");
    Optimizer optimizer = one.make({a.ref(), b.ref()});
    Program program = capture_step(
        [&](Tensor x) {
          Tape tape;
          const Tensor loss = mean(square(tanh(matmul(x, a) * 0.1) + sum(b)));
          optimizer.step(tape.gradient(loss));
          return loss;
        },
        rng.normal({8, 40}));
    program.check_every(0);
    auto memory = [&] {
      std::vector<const void*> list = {a.value().handle()->data, b.value().handle()->data};
      for (const optim::NamedTensor& entry : optimizer.state()) {
        if (entry.value.rank() > 0) list.push_back(entry.value.handle()->data);
      }
      return list;
    };
    const std::vector<const void*> before = memory();
    for (int t = 0; t < 3; ++t) program(rng.normal({8, 40}));
    CHECK(memory() == before);
    CHECK(a.ref().version() == 3);
  }
}

TEST_CASE("optim/optimizers: the same bits for any number of threads, in place or not") {
  const int threads = num_threads();
  for (const Optimised& one : every_optimizer()) {
    CAPTURE(one.what);
    Tensor first;
    for (int variant = 0; variant < 4; ++variant) {
      set_num_threads(variant == 0 ? 1 : variant + 1);
      Rng rng{63};
      const Parameter w(rng.normal({70001}), "w");
      Optimizer optimizer = one.make({w.ref()});
      std::vector<Tensor> held;
      for (int t = 0; t < 3; ++t) {
        // In the last variant nothing can be written in place.
        if (variant == 3) {
          held.push_back(w.value());
          for (const optim::NamedTensor& entry : optimizer.state()) held.push_back(entry.value);
        }
        const void* const memory = w.value().handle()->data;
        optimizer.step(one_gradient(w, rng.normal({70001})));
        CHECK((w.value().handle()->data == memory) == (variant != 3));
      }
      if (variant == 0) first = w.value();
      else CHECK(same_bits(w.value(), first));
    }
  }
  set_num_threads(threads);
}

TEST_CASE("optim/optimizers: an element steps as it does alone") {
  for (const Optimised& one : every_optimizer()) {
    for (const DType dtype : {float32, float64}) {
      CAPTURE(one.what);
      Rng rng{64};
      const Tensor start = rng.normal({37}, dtype);
      const Parameter all(start, "all");
      std::vector<Parameter> alone;
      ParameterList cells;
      for (int64_t i = 0; i < 37; ++i) cells.push_back(alone.emplace_back(start[i]).ref());
      Optimizer together = one.make({all.ref()}), single = one.make(cells);
      for (int t = 0; t < 4; ++t) {
        const Tensor g = rng.normal({37}, dtype);
        Gradients each;
        for (size_t i = 0; i < 37; ++i) each.add({cells[i], 0, 0, g[static_cast<int64_t>(i)]});
        together.step(one_gradient(all, g));
        single.step(each);
        for (size_t i = 0; i < 37; ++i)
          CHECK(same_bits(all.value()[static_cast<int64_t>(i)], alone[i].value()));
      }
    }
  }
}

TEST_CASE("optim/optimizers: float32 follows float64") {
  for (const Optimised& one : every_optimizer()) {
    CAPTURE(one.what);
    Rng rng{65};
    const Tensor start = rng.uniform({200}, 1, 2, float32);
    const Parameter low(start), high(cast(start, float64));
    Optimizer in32 = one.make({low.ref()}), in64 = one.make({high.ref()});
    for (int t = 0; t < 5; ++t) {
      // Away from 0, where a sign or a root would turn an error of rounding into a difference.
      const Tensor g = rng.uniform({200}, 0.5, 1.5, float32);
      in32.step(one_gradient(low, g));
      in64.step(one_gradient(high, cast(g, float64)));
    }
    // A few roundings of each of 5 steps; centered roots of differences lose more.
    const double loss = one.what.find("centered") != std::string_view::npos ? 1e-4 : 4e-6;
    CHECK(allclose(cast(low.value(), float64), high.value(), loss, loss));
  }
}

TEST_CASE("optim/optimizers: loaded state and copies go on with the same bits") {
  for (const Optimised& one : every_optimizer()) {
    CAPTURE(one.what);
    const Model straight, resumed, copied;
    Optimizer mine = one.make(straight.list()), before = one.make(resumed.list()),
              original = one.make(copied.list());
    Rng rng{66};
    for (int t = 0; t < 4; ++t) {
      const Tensor x = input(rng, float32);
      straight.step(mine, x);
      resumed.step(before, x);
      copied.step(original, x);
    }
    const std::vector<optim::NamedTensor> state = before.state();
    Optimizer after = one.make(resumed.list()), copy = original;
    after.load_state(state);
    for (int t = 0; t < 3; ++t) {
      const Tensor x = input(rng, float32);
      straight.step(mine, x);
      resumed.step(after, x);
      copied.step(copy, x);
      CHECK(straight.same(resumed));
      CHECK(straight.same(copied));
    }
    CHECK(after.t() == 7);
    CHECK(original.t() == 4);
    // What was read out is a snapshot.
    CHECK(state[0].value.item<int64_t>() == 4);
  }
}

TEST_CASE("optim/optimizers: state that does not fit changes nothing") {
  const Parameter w(list({1, 2, 3}), "w");
  optim::NAdam nadam{{w.ref()}};
  nadam.step(one_gradient(w, list({1, 1, 1})));
  const std::vector<optim::NamedTensor> good = nadam.state();
  REQUIRE(good.size() == 5);
  auto with = [&](size_t k, const Tensor& value) {
    std::vector<optim::NamedTensor> state = good;
    state[k].value = value;
    return state;
  };
  auto refused = [&](const std::vector<optim::NamedTensor>& state) {
    return message_of<Error>([&] { nadam.load_state(state); });
  };
  CHECK(refused(with(0, tensor(-1))) == "[NAdam] state \"t\" must be at least 0, given -1");
  CHECK(refused(with(1, tensor(2.0))) == "[NAdam] state \"0.step\" is float32[], expected int64");
  CHECK(refused(with(3, list({1, 2}))) == "[NAdam] state \"0.exp_avg\" is float64[2], expected float64[3]");
  CHECK(refused(with(4, ones({3}))) == "[NAdam] state \"0.exp_avg_sq\" is float32[3], expected float64");
  CHECK(refused(with(4, Tensor())) == "[NAdam] state \"0.exp_avg_sq\" is undefined");
  std::vector<optim::NamedTensor> state = good;
  state.pop_back();
  CHECK(refused(state) == "[NAdam] state \"0.exp_avg_sq\" is missing");
  state = good;
  state.push_back({"1.step", tensor(1)});
  CHECK(refused(state) == "[NAdam] state \"1.step\" is unknown");
  state.back().name = "t";
  CHECK(refused(state) == "[NAdam] state \"t\" is there twice");
  const std::vector<optim::NamedTensor> now = nadam.state();
  for (size_t k = 0; k < good.size(); ++k) CHECK(same_bits(now[k].value, good[k].value));
}

TEST_CASE("optim/optimizers: maximize goes the other way") {
  using namespace optim;
  const Tensor start = list({1, -2, 3}), g = list({0.3, 0.5, -0.7});
  auto after = [&](auto make, bool maximize) {
    const Parameter w(start, "w");
    auto optimizer = make(ParameterList{w.ref()}, maximize);
    for (int t = 0; t < 3; ++t) optimizer.step(one_gradient(w, maximize ? neg(g) : g));
    return w.value();
  };
  auto check = [&](auto make) { CHECK(same_bits(after(make, true), after(make, false))); };
  check([](ParameterList p, bool m) { return SGD{std::move(p), {.momentum = 0.5, .maximize = m}}; });
  check([](ParameterList p, bool m) { return Adam{std::move(p), {.maximize = m}}; });
  check([](ParameterList p, bool m) { return AdamW{std::move(p), {.maximize = m}}; });
  check([](ParameterList p, bool m) { return RMSprop{std::move(p), {.maximize = m}}; });
  check([](ParameterList p, bool m) { return Adagrad{std::move(p), {.maximize = m}}; });
  check([](ParameterList p, bool m) { return Adadelta{std::move(p), {.maximize = m}}; });
  check([](ParameterList p, bool m) { return NAdam{std::move(p), {.maximize = m}}; });
  check([](ParameterList p, bool m) { return RAdam{std::move(p), {.maximize = m}}; });
  check([](ParameterList p, bool m) { return Lion{std::move(p), {.maximize = m}}; });
}

TEST_CASE("optim/optimizers: a NaN goes into its element and no other, an infinity stays without decay") {
  for (const Optimised& one : every_optimizer()) {
    CAPTURE(one.what);
    const Parameter w(list({1, 2, kInf}), "w");
    Optimizer optimizer = one.make({w.ref()});
    optimizer.step(one_gradient(w, list({kNan, 1, 0.5})));
    const std::vector<double> values = w.value().to_vector<double>();
    CHECK(std::isnan(values[0]));
    CHECK(std::isfinite(values[1]));
    CHECK(values[1] < 2);
    if (one.what != "SGD with decay") CHECK(values[2] == kInf);
  }
}

TEST_CASE("optim/optimizers: constant gradients do not make the variance of centered RMSprop negative") {
  const Parameter w(full({1000}, 1.0), "w");
  Rng rng{67};
  const Tensor g = rng.normal({1000});
  optim::RMSprop rmsprop{{w.ref()}, {.learning_rate = 1e-6, .alpha = 0.5, .centered = true}};
  for (int t = 0; t < 100; ++t) rmsprop.step(one_gradient(w, g));
  for (const float x : w.value().to_vector<float>()) CHECK(std::isfinite(x));
}

TEST_CASE("optim/optimizers: a parameter that took no part in the loss is named at the first step") {
  const Parameter a(ones({2}), "a"), b(ones({2}), "layers.1.bias"), c(ones({2}), "c");
  for (const Optimised& one : every_optimizer()) {
    Optimizer optimizer = one.make({a.ref(), b.ref(), c.ref()});
    const std::string message = message_of<GraphError>([&] { optimizer.step(one_gradient(a, ones({2}))); });
    CHECK(message ==
          "[" + std::string(optimizer.name()) +
              "] took no part in the loss of the first step: \"layers.1.bias\", \"c\"; leave out what is "
              "not to be learned, or step with allow_unused");
    CHECK(optimizer.t() == 0);
    optimizer.step(one_gradient(a, ones({2})), {.allow_unused = true});
    CHECK(optimizer.t() == 1);
    optimizer.step(one_gradient(b, ones({2})));  // later it is up to the caller
    CHECK(optimizer.t() == 2);
  }
  CHECK(equal(c.value(), ones({2})));
}

TEST_CASE("optim/optimizers: a frozen parameter is passed over") {
  const Parameter a(ones({2}), "a"), b(ones({2}), "b");
  b.ref().requires_grad_(false);
  for (const Optimised& one : every_optimizer()) {
    Optimizer optimizer = one.make({a.ref(), b.ref()});
    optimizer.step(one_gradient(a, ones({2})));
    CHECK(optimizer.t() == 1);
  }
  CHECK(equal(b.value(), ones({2})));
}

TEST_CASE("optim/optimizers: a program steps an optimiser once") {
  const Parameter w(ones({2}), "w");
  optim::Adam adam{{w.ref()}};
  auto twice = [&](Tensor x) {
    for (int k = 0; k < 2; ++k) {
      Tape tape;
      adam.step(tape.gradient(sum(w * x)));
    }
    return x;
  };
  CHECK(message_of<GraphError>([&] { capture_step(twice, ones({2})); }) ==
        "[capture] an optimiser steps twice while a program is recorded; its numbers would be those of one "
        "step");
  CHECK(adam.t() == 0);
  CHECK(equal(w.value(), ones({2})));
}

TEST_CASE("optim/optimizers: clipped gradients, in a program too") {
  for (const double max_norm : {0.1, 1e6}) {
    const Model eager, recorded;
    optim::AdamW mine{eager.list()}, other{recorded.list()};
    auto step = [max_norm](const Model& model, Optimizer& optimizer, const Tensor& x) {
      Tape tape;
      const Tensor loss = model.loss(x);
      const optim::Clipped clipped = optim::clip_grad_norm(tape.gradient(loss), max_norm);
      optimizer.step(optim::clip_grad_value(clipped.gradients, 0.05));
      return clipped.norm;
    };
    Rng rng{68};
    Program program = capture_step([&](Tensor x) { return step(recorded, other, x); }, input(rng, float32));
    program.check_every(0);
    for (int t = 0; t < 4; ++t) {
      const Tensor x = input(rng, float32);
      CHECK(same_bits(step(eager, mine, x), program(x).value));
      CHECK(eager.same(recorded));
    }
  }
}

TEST_CASE("optim/optimizers: copies, handles and what they tell") {
  const Parameter a(ones({2}), "a"), b(ones({3}), "b");
  optim::SGD sgd{optim::SGD::Groups{{{a.ref()}, {.learning_rate = optim::step_lr(0.5, 1)}},
                                    {{b.ref()}, {.learning_rate = 0.25, .momentum = 0.5}}}};
  CHECK(sgd.name() == "SGD");
  CHECK(sgd.groups() == 2);
  CHECK(sgd.learning_rate() == 0.5);
  CHECK(sgd.learning_rate(1) == 0.25);
  CHECK(sgd.parameters().size() == 2);
  CHECK(message_of<ArgumentError>([&] { sgd.learning_rate(2); }) ==
        "[SGD] there are 2 groups, asked for group 2");
  Gradients g;
  g.add({a.ref(), 0, 0, ones({2})});
  g.add({b.ref(), 0, 0, ones({3})});
  std::vector<Optimizer> kept;  // any of them by one type
  kept.emplace_back(sgd);
  kept[0].step(g);
  CHECK(sgd.t() == 0);
  CHECK(kept[0].learning_rate() == 0.05);
  CHECK(equal(a.value(), full({2}, 0.5)));
  kept[0] = sgd;
  CHECK(kept[0].t() == 0);
}
