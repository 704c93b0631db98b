// Training steps as programs: products with what follows them, steps of weights along products.

#include <doctest/doctest.h>

#include <string>

#include "autograd/autograd.h"
#include "autograd/program.h"
#include "nn/nn.h"
#include "optim/optim.h"
#include "tests/support/op_function.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

// A step of a net of these sizes on a batch, 0 for a single sample.
struct Case {
  std::vector<int64_t> sizes;
  int64_t batch;
  nn::Activation activation;
  double momentum = 0;
};

std::vector<nn::Activation> activations(const Case& c) {
  std::vector<nn::Activation> list(c.sizes.size() - 1, c.activation);
  list.back() = nn::identity;
  return list;
}

struct Side {
  Side(const Case& c, DType dtype)
      : rng(7),
        net(c.sizes, activations(c), rng, nn::kaiming_uniform, dtype),
        sgd(parameters(net), {.learning_rate = optim::inverse_time(0.1, 0.05), .momentum = c.momentum}) {}
  Tensor step(const Tensor& x, const Tensor& y) {
    Tape tape;
    const Tensor loss = mse_loss(net(x), y);
    sgd.step(tape.gradient(loss));
    return loss;
  }
  Rng rng;
  nn::FeedForward net;
  optim::SGD sgd;
};

Shape shape_of(int64_t batch, int64_t size) { return batch == 0 ? Shape{size} : Shape{batch, size}; }

}  // namespace

TEST_CASE(
    "autograd/program_steps: nets of many sizes, trained eagerly and by a program, have the same bits") {
  const int threads = num_threads();
  const Case cases[] = {{{3, 5, 1}, 0, nn::sigmoid},         {{2, 16, 16, 1}, 0, nn::tanh},
                        {{2, 16, 16, 1}, 64, nn::tanh},      {{1, 7, 1}, 1, nn::tanh},
                        {{40, 33, 10}, 1, nn::relu},         {{40, 33, 10}, 9, nn::relu},
                        {{300, 200, 10}, 1, nn::relu},       {{300, 200, 10}, 32, nn::relu},
                        {{20, 1100, 3}, 5, nn::silu},        {{64, 64, 64}, 64, nn::tanh},
                        {{300, 260, 10}, 150, nn::relu},     {{16, 16, 2}, 16, nn::tanh, 0.9},
                        {{1024, 1024, 4}, 1, nn::relu, 0.5}, {{2048, 1030, 2}, 1, nn::relu}};
  Rng rng(3);
  for (const Case& c : cases) {
    for (DType dtype : {float32, float64}) {
      Side eager(c, dtype), replayed(c, dtype);
      const Tensor x = rng.normal(shape_of(c.batch, c.sizes.front()), dtype),
                   y = rng.normal(shape_of(c.batch, c.sizes.back()), dtype);
      Program program =
          capture_step([&](const Tensor& a, const Tensor& b) { return replayed.step(a, b); }, x, y);
      program.check_every(0);
      INFO(to_string(program));
      for (int t = 0; t < 5; ++t) {
        set_num_threads(1 + t % 3);
        // Somebody holds what a parameter was.
        const Tensor snapshot = t == 3 ? replayed.net.layers[0].weight.value() : Tensor();
        const Tensor before = t == 3 ? snapshot + 0.0 : Tensor();
        CHECK(same_bits(program(x, y).value, eager.step(x, y)));
        if (t == 3) CHECK(same_bits(snapshot, before));
        for (size_t l = 0; l < eager.net.layers.size(); ++l) {
          CHECK(same_bits(eager.net.layers[l].weight.value(), replayed.net.layers[l].weight.value()));
          CHECK(same_bits(eager.net.layers[l].bias.value(), replayed.net.layers[l].bias.value()));
        }
      }
    }
  }
  set_num_threads(threads);
}

TEST_CASE("autograd/program_steps: a weight that is used twice, or read after its step, is stepped last") {
  for (const bool reads_again : {false, true}) {
    Rng rng(5);
    const Tensor start = rng.normal({16, 16}, float64), x = rng.normal({16, 16}, float64);
    auto step = [&](const Parameter& w, optim::SGD& sgd) {
      Tape tape;
      const Tensor hidden = tanh(linear(x, w));
      const Tensor loss = reads_again ? sum(square(hidden)) : sum(square(linear(hidden, w)));
      const Gradients g = tape.gradient(loss);
      sgd.step(g);
      return reads_again ? loss + sum(g[w]) : loss;
    };
    Parameter mine(start + 0.0), theirs(start + 0.0);
    optim::SGD my_sgd({mine.ref()}, {.learning_rate = 0.01}),
        their_sgd({theirs.ref()}, {.learning_rate = 0.01});
    Program program = capture_step([&] { return step(mine, my_sgd); });
    INFO(to_string(program));
    program.check_every(0);
    for (int t = 0; t < 3; ++t) {
      CHECK(same_bits(program().value, step(theirs, their_sgd)));
      CHECK(same_bits(mine.value(), theirs.value()));
    }
  }
}

TEST_CASE("autograd/program_steps: what a product reads is not written before its last slice") {
  static const Op& outer = *find_op("linear_backward_weight");  // aᵀ·b, in several slices for this size
  Rng rng(6);
  const Tensor start = rng.normal({160, 160}) * 0.05;
  Parameter mine(start + 0.0), theirs(start + 0.0);
  auto step = [](Parameter& w) {
    const Tensor doubled = w * 2.0;
    const Tensor product = apply(outer, {doubled, doubled});
    const Tensor last = doubled * product;  // could take the memory of `doubled`, which nobody reads after it
    assign(w.ref(), mul_add(apply(outer, {w, w}), 0.01, w));
    return sum(tanh(last));
  };
  Program program = capture_step([&] { return step(mine); });
  const std::string text = to_string(program);
  INFO(text);
  CHECK(text.find("25600 elements, behind a product") != std::string::npos);
  program.check_every(0);
  for (int t = 0; t < 3; ++t) {
    CHECK(same_bits(program().value, step(theirs)));
    CHECK(same_bits(mine.value(), theirs.value()));
  }
}

TEST_CASE("autograd/program_steps: fuse_updates stays within the bound it states") {
  for (DType dtype : {float32, float64}) {
    Rng rng(8);
    const int64_t rows = 150;
    const Tensor x = rng.normal({rows, 280}, dtype), factors = rng.normal({rows, 300}, dtype);
    const Tensor start = rng.normal({300, 280}, dtype);
    const double rate = 0.03, unit = dtype == float32 ? 0x1p-24 : 0x1p-53;
    auto step = [&](const Parameter& w, optim::SGD& sgd, const Tensor& c) {
      Tape tape;
      const Tensor loss = sum(linear(x, w) * c);
      sgd.step(tape.gradient(loss));
      return loss;
    };
    Parameter mine(start + 0.0), theirs(start + 0.0);
    optim::SGD my_sgd({mine.ref()}, {.learning_rate = rate}),
        their_sgd({theirs.ref()}, {.learning_rate = rate});
    Program program = capture_step(
        {.check_every = 0, .fuse_updates = true}, [&](const Tensor& c) { return step(mine, my_sgd, c); },
        factors);
    INFO(to_string(program));
    CHECK(to_string(program).find("folded into a product") != std::string::npos);
    Tensor first;
    for (int threads = 1; threads <= 3; ++threads) {
      const int before = num_threads();
      set_num_threads(threads);
      assign(mine.ref(), start);
      const Tensor held = threads == 2 ? mine.value() : Tensor();  // written elsewhere, then
      CHECK(same_bits(program(factors).value, sum(linear(x, start) * factors)));
      set_num_threads(before);
      if (threads == 1) first = mine.value() + 0.0;
      CHECK(same_bits(mine.value(), first));
    }
    step(theirs, their_sgd, factors);
    const Tensor products = matmul(transpose(abs(factors), 0, 1), abs(x));
    const Tensor bound = products * (rate * unit * (static_cast<double>(rows) + 5)) +
                         abs(start) * (static_cast<double>(rows / 128 + 2) * unit);
    const Tensor within = cast(le(abs(mine.value() - theirs.value()), bound), float64);
    CHECK(sum(within).item() == static_cast<double>(within.numel()));
    CHECK(!equal(mine.value(), start));
  }
}

TEST_CASE("autograd/program_steps: fuse_updates leaves gradients alone that something else needs") {
  Rng rng(9);
  const Tensor x = rng.normal({150, 280}), factors = rng.normal({150, 300}), start = rng.normal({300, 280});
  enum class Use { momentum, clipped, returned, shared };
  for (const Use use : {Use::momentum, Use::clipped, Use::returned, Use::shared}) {
    auto step = [&](const Parameter& w, optim::SGD& sgd, const Tensor& c) {
      Tape tape;
      Tensor loss = sum(linear(x, w) * c);
      if (use == Use::shared) loss = loss + sum(square(w));
      Gradients g = tape.gradient(loss);
      const Tensor value = use == Use::returned ? g[w] : loss;
      if (use == Use::clipped) g = optim::clip_grad_value(g, 1.0);
      sgd.step(g);
      return value;
    };
    const optim::SGDOptions options{.learning_rate = 0.01, .momentum = use == Use::momentum ? 0.9 : 0.0};
    Parameter mine(start + 0.0), theirs(start + 0.0);
    optim::SGD my_sgd({mine.ref()}, options), their_sgd({theirs.ref()}, options);
    Program program = capture_step(
        {.check_every = 0, .fuse_updates = true}, [&](const Tensor& c) { return step(mine, my_sgd, c); },
        factors);
    INFO(to_string(program));
    CHECK(to_string(program).find("folded into a product") == std::string::npos);
    for (int t = 0; t < 2; ++t) {
      CHECK(same_bits(program(factors).value, step(theirs, their_sgd, factors)));
      CHECK(same_bits(mine.value(), theirs.value()));
    }
  }
}

TEST_CASE(
    "autograd/program_steps: a matrix is multiplied and stepped in one pass unless it is read in between") {
  Rng rng(10);
  const Tensor x = rng.normal({40}), target = rng.normal({30});
  for (const bool between : {false, true}) {
    auto step = [&](Parameter& v, Parameter& w, optim::SGD& sgd) {
      Tape tape;
      Tensor loss = mse_loss(linear(tanh(linear(x, v)), w), target);
      const Gradients g = tape.gradient(loss);
      // What follows the product and reads the matrix, of as many elements as the product has.
      if (between) loss = loss + sum(g[v] * sum(w * w));
      sgd.step(g);
      return loss;
    };
    const Tensor first = rng.normal({35, 40}) * 0.2, second = rng.normal({30, 35}) * 0.2;
    Parameter v(first + 0.0), w(second + 0.0), v2(first + 0.0), w2(second + 0.0);
    optim::SGD sgd({v.ref(), w.ref()}, {.learning_rate = 0.1}),
        sgd2({v2.ref(), w2.ref()}, {.learning_rate = 0.1});
    Program program = capture_step({.check_every = 0}, [&] { return step(v, w, sgd); });
    INFO(to_string(program));
    if (!between) CHECK(to_string(program).find("done before") != std::string::npos);
    for (int t = 0; t < 4; ++t) {
      const Tensor snapshot = t == 2 ? w.value() : Tensor();
      CHECK(same_bits(program().value, step(v2, w2, sgd2)));
      CHECK(same_bits(v.value(), v2.value()));
      CHECK(same_bits(w.value(), w2.value()));
    }
  }
}

TEST_CASE("autograd/program_steps: the text shows what follows a product") {
  Side side({{4, 8, 3}, 16, nn::tanh}, float32);
  Rng rng(1);
  const Program program = capture_step([&](Tensor x, Tensor y) { return side.step(x, y); },
                                       rng.normal({16, 4}), rng.normal({16, 3}));
  const std::string text = to_string(program);
  INFO(text);
  CHECK(text.find("128 elements, behind a product") != std::string::npos);
  CHECK(text.find("slice = linear_backward_weight") != std::string::npos);
  CHECK(text.find("into \"layers.0.weight\" = mul_add") != std::string::npos);
}
