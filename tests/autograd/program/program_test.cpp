// Recorded once, replayed many times: the same bits as eager, nothing frozen that changes, nothing lost.

#include "autograd/program.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "autograd/autograd.h"
#include "nn/nn.h"
#include "optim/optim.h"
#include "tests/support/op_function.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

nn::FeedForward small_net(uint64_t seed) {
  Rng rng(seed);
  return nn::FeedForward({4, 8, 3}, {nn::tanh, nn::identity}, rng);
}

struct Batch {
  Tensor x, labels;
};
Batch batch(Rng& rng, int64_t n) { return {rng.normal({n, 4}), rng.integers({n}, 0, 3)}; }

void check_same(const nn::FeedForward& a, const nn::FeedForward& b) {
  const ParameterList p = parameters(const_cast<nn::FeedForward&>(a));
  const ParameterList q = parameters(const_cast<nn::FeedForward&>(b));
  REQUIRE(p.size() == q.size());
  for (size_t i = 0; i < p.size(); ++i) CHECK(same_bits(p[i].value(), q[i].value()));
}

}  // namespace

TEST_CASE("autograd/program: loss and gradients have the bits of eager, for any number of threads") {
  nn::FeedForward net = small_net(1);
  Rng rng(2);
  const Batch example = batch(rng, 16);
  Program step =
      capture([&](Tensor x, Tensor y) { return cross_entropy(net(x), y); }, example.x, example.labels);
  step.check_every(0);
  const int threads = num_threads();
  for (int run = 0; run < 6; ++run) {
    const Batch b = batch(rng, 16);
    set_num_threads(1 + run % 3);
    const auto [loss, gradients] = step(b.x, b.labels);
    Tape tape;
    const Tensor eager = cross_entropy(net(b.x), b.labels);
    const Gradients expected = tape.gradient(eager);
    CHECK(same_bits(loss, eager));
    REQUIRE(gradients.size() == expected.size());
    for (const CellRef& p : parameters(net)) CHECK(same_bits(gradients[p], expected[p]));
  }
  set_num_threads(threads);
}

TEST_CASE("autograd/program: recording leaves cells and optimisers as they were") {
  nn::FeedForward net = small_net(1);
  const nn::FeedForward before = net;
  optim::SGD sgd(parameters(net), {.learning_rate = 0.1, .momentum = 0.9});
  Buffer state(tensor({7, 0}));
  Rng rng(2);
  const Batch b = batch(rng, 8);
  Program train = capture_step(
      [&](Tensor x, Tensor y) {
        Tape tape;
        const Tensor loss = cross_entropy(net(dropout(x, 0.5, state)), y);
        sgd.step(tape.gradient(loss));
        return loss;
      },
      b.x, b.labels);
  check_same(net, before);
  CHECK(sgd.t() == 0);
  CHECK(equal(state.value(), tensor({7, 0})));
}

TEST_CASE("autograd/program: a whole training step equals eager, with schedule, momentum and dropout") {
  for (const double momentum : {0.0, 0.9}) {
    nn::FeedForward mine = small_net(3), theirs = small_net(3);
    const optim::SGDOptions options{.learning_rate = optim::inverse_time(0.5, 0.1), .momentum = momentum};
    optim::SGD my_sgd(parameters(mine), options), their_sgd(parameters(theirs), options);
    Buffer my_state(tensor({7, 0})), their_state(tensor({7, 0}));
    auto step = [](nn::FeedForward& net, optim::SGD& sgd, Buffer& state, const Tensor& x, const Tensor& y) {
      Tape tape;
      const Tensor loss = cross_entropy(net(dropout(x, 0.25, state)), y);
      sgd.step(tape.gradient(loss));
      return loss;
    };
    Rng rng(4);
    const Batch example = batch(rng, 8);
    Program train = capture_step([&](Tensor x, Tensor y) { return step(mine, my_sgd, my_state, x, y); },
                                 example.x, example.labels);
    for (int t = 0; t < 12; ++t) {
      const Batch b = batch(rng, t % 4 == 3 ? 5 : 8);  // another batch size now and then
      const Tensor loss = train(b.x, b.labels).value;
      CHECK(same_bits(loss, step(theirs, their_sgd, their_state, b.x, b.labels)));
      check_same(mine, theirs);
      CHECK(equal(my_state.value(), their_state.value()));
      CHECK(my_sgd.t() == their_sgd.t());
    }
  }
}

TEST_CASE("autograd/program: a snapshot survives a step of the program") {
  Parameter w(tensor({1.0, 2.0}));
  optim::SGD sgd({w.ref()}, {.learning_rate = 0.5});
  Program train = capture_step(
      [&](Tensor x) {
        Tape tape;
        const Tensor loss = sum(x * w);
        sgd.step(tape.gradient(loss));
        return loss;
      },
      tensor({1.0, 1.0}));
  train.check_every(0);
  const Tensor snapshot = w.value();
  const uint64_t version = w.ref().version();
  train(tensor({2.0, 4.0}));
  CHECK(equal(snapshot, tensor({1.0, 2.0})));
  CHECK(equal(w.value(), tensor({0.0, 0.0})));
  CHECK(w.ref().version() == version + 1);
}

TEST_CASE("autograd/program: an error in a run leaves everything as it was") {
  nn::FeedForward net = small_net(1);
  const nn::FeedForward before = net;
  optim::SGD sgd(parameters(net), {.learning_rate = 0.1});
  Rng rng(2);
  const Batch b = batch(rng, 4);
  Program train = capture_step(
      [&](Tensor x, Tensor y) {
        Tape tape;
        const Tensor loss = cross_entropy(net(x), y);
        sgd.step(tape.gradient(loss));
        return loss;
      },
      b.x, b.labels);
  for (int run = 0; run < 3; ++run) {  // replayed, compared, replayed
    CHECK_THROWS_AS(train(b.x, tensor({0, 1, 9, 0})), IndexError);
    check_same(net, before);
    CHECK(sgd.t() == 0);
  }
  CHECK(train(b.x, b.labels).value.defined());
  CHECK(sgd.t() == 1);
}

TEST_CASE("autograd/program: reading elements while recording is an error") {
  const Parameter w(tensor({1.0, 2.0}));
  auto reads = [&](Tensor x) {
    const Tensor y = sum(x * w);
    return y.item() > 0 ? y : -y;
  };
  CHECK(message_of<GraphError>([&] {
          capture(reads, tensor({1.0, 2.0}));
        }).find("were read") != std::string::npos);
  auto reads_data = [&](Tensor x) {
    const Tensor y = x * w;
    return sum(y) * double{y.data<float>()[0]};
  };
  CHECK_THROWS_AS(capture(reads_data, tensor({1.0, 2.0})), GraphError);
  // What does not depend on inputs or cells may be read.
  CHECK_NOTHROW(capture(
      [&](Tensor x) {
        return sum(x * w) * tensor({2.0, 3.0})[1].item();
      },
      tensor({1.0, 2.0})));
}

TEST_CASE("autograd/program: what was frozen and changes is found at the second run, by its line") {
  const Parameter w(tensor({1.0, 2.0}));
  const Tensor x = tensor({3.0, 4.0});
  auto second_run = [&](auto f) {
    Program program = capture(f, x);
    // A build for debugging compares on the first run already.
    const std::string first = message_of<GraphError>([&] { program(x); });
    return first != message_of([] {}) ? first : message_of<GraphError>([&] { program(x); });
  };
  int calls = 0;
  const std::string other_op =
      second_run([&](Tensor t) { return sum(calls++ == 0 ? tanh(t * w) : sigmoid(t * w)); });
  CHECK(other_op.find("tanh") != std::string::npos);
  CHECK(other_op.find("sigmoid") != std::string::npos);
  CHECK(other_op.find("program_test.cpp:") != std::string::npos);

  double factor = 1;
  const std::string number = second_run([&](Tensor t) { return sum(t * w) * (factor *= 2); });
  CHECK(number.find("the number 2") != std::string::npos);
  CHECK(number.find("the number 4") != std::string::npos);

  int64_t dim = 0;
  const std::string option = second_run([&](Tensor t) {
    return sum(softmax(reshape(t * w, {1, 2}), dim++));
  });
  CHECK(option.find("softmax(dim=0)") != std::string::npos);
  CHECK(option.find("softmax(dim=1)") != std::string::npos);

  Rng rng(1);
  const std::string random = second_run([&](Tensor t) { return sum(t * w * rng.normal({2})); });
  CHECK(random.find("a constant float32[2] differs") != std::string::npos);

  const Parameter others[] = {Parameter(tensor({1.0, 2.0}), "first"),
                              Parameter(tensor({1.0, 2.0}), "second")};
  size_t which = 0;
  const std::string cell = second_run([&](Tensor t) { return sum(t * others[which++ % 2]); });
  CHECK(cell.find("was \"first\", is now \"second\"") != std::string::npos);

  int more = 0;
  const std::string longer =
      second_run([&](Tensor t) { return more++ == 0 ? sum(t * w) : sum(t * w) + 1.0; });
  CHECK(longer.find("add") != std::string::npos);
}

TEST_CASE("autograd/program: dead calls are dropped, constants folded, pointwise ops walked together") {
  const Parameter w(tensor({1.0, 2.0}));
  const Tensor scale = tensor({0.5, 0.25});
  Program program = capture(
      [&](Tensor x) {
        const Tensor unused = exp(x);
        const Tensor constant = sqrt(scale) + 1.0;
        return sum(tanh(x * w + constant) * sigmoid(x) - exp(-square(x)));
      },
      tensor({3.0, 4.0}));
  const std::string text = program.text();
  INFO(text);
  CHECK(text.find("together, 2 elements") != std::string::npos);
  CHECK(text.find("sqrt") == std::string::npos);          // folded
  CHECK(text.find("mul constant") == std::string::npos);  // the cotangent 1 times a factor is the factor
  const size_t first = text.find(" exp ");
  CHECK(first != std::string::npos);
  CHECK(text.find(" exp ", first + 1) == std::string::npos);  // one of the two was dead
}

TEST_CASE("autograd/program: wrong inputs are errors, other shapes are recorded anew") {
  const Parameter w(tensor({1.0, 2.0}));
  Program program = capture([&](Tensor x) { return sum(x * w); }, tensor({3.0, 4.0}));
  CHECK_THROWS_AS(program(), ArgumentError);
  CHECK_THROWS_AS(program(Tensor()), ArgumentError);
  CHECK_THROWS_AS(program(tensor({1.0, 2.0, 3.0})), ShapeError);
  CHECK_THROWS_AS(program(tensor({1.0, 2.0}, float64)), DTypeError);
  CHECK(program(tensor({{1.0, 1.0}, {2.0, 2.0}})).value.item() == 9);
  CHECK(program(tensor({3.0, 4.0})).value.item() == 11);
  CHECK_THROWS_AS(capture([&](Tensor x) { return x * w; }, tensor({3.0, 4.0})), GraphError);
}
