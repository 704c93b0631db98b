#include <doctest/doctest.h>

#include <string>

#include "nn/nn.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using tapegrad::testing::message_of;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string here(int line) { return "(errors_test.cpp:" + std::to_string(line) + ")"; }

}  // namespace

TEST_CASE("nn/errors: a network names the layer and the caller's line") {
  Rng rng{31};
  const nn::FeedForward net{{4, 3, 2}, {nn::relu, nn::identity}, rng};
  const int line = __LINE__ + 1;
  const std::string message = message_of<ShapeError>([&] { net(ones({5, 7})); });
  CAPTURE(message);
  CHECK(contains(message, "[linear]"));
  CHECK(contains(message, "float32[5, 7]"));
  CHECK(contains(message, here(line)));
  CHECK(contains(message, "in layers.0: Layer 4→3"));
}

TEST_CASE("nn/errors: the context names the layer that threw") {
  Rng rng{32};
  nn::FeedForward net{{4, 3, 2}, {nn::relu, nn::identity}, rng};
  net.layers[1] = nn::Layer(9, 2, nn::identity, rng);
  std::string message = message_of<ShapeError>([&] { net(ones({4})); });
  CAPTURE(message);
  CHECK(contains(message, "in layers.1: Layer 9→2"));
  CHECK_FALSE(contains(message, "layers.0"));
  // A net in a list has two lines, from the inside out.
  const nn::Sequential outer(nn::identity, net);
  message = message_of<ShapeError>([&] { outer(ones({4})); });
  CHECK(message.find("in layers.1: Layer 9→2") < message.find("in 1: FeedForward 4→2"));
}

TEST_CASE("nn/errors: single layers name the caller's line") {
  Rng rng{33};
  const nn::Linear linear{4, 3, rng};
  const nn::Layer layer{4, 3, nn::tanh, rng};
  const nn::Neuron neuron{4, nn::tanh, rng};
  const Tensor x = ones({5});
  CHECK(contains(message_of<ShapeError>([&] { linear(x); }), here(__LINE__)));
  CHECK(contains(message_of<ShapeError>([&] { layer(x); }), here(__LINE__)));
  CHECK(contains(message_of<ShapeError>([&] { neuron(x); }), here(__LINE__)));
  CHECK(contains(message_of<DTypeError>([&] { layer(ones({4}, float64)); }), here(__LINE__)));
  CHECK(contains(message_of<DTypeError>([&] { nn::identity(1.5); }), here(__LINE__)));
}

TEST_CASE("nn/errors: records carry the caller's line") {
  Rng rng{34};
  const nn::FeedForward net{{4, 3, 2}, {nn::relu, nn::identity}, rng};
  Tape tape;
  const int line = __LINE__ + 1;
  const Tensor y = net(ones({4}));
  REQUIRE(tape.size() == 3);
  for (size_t i = 0; i < tape.size(); ++i) {
    CHECK(tape[i].where.line == line);
    CHECK(contains(tape[i].where.file, "errors_test.cpp"));
  }
}

TEST_CASE("nn/errors: arguments that make no sense") {
  Rng rng{35};
  CHECK_THROWS_AS(nn::Linear(0, 3, rng), ArgumentError);
  CHECK_THROWS_AS(nn::Layer(3, 0, nn::relu, rng), ArgumentError);
  CHECK_THROWS_AS(nn::Neuron(-1, nn::relu, rng), ArgumentError);
  CHECK_THROWS_AS(nn::Linear(3, 2, rng, nn::gaussian, int64), DTypeError);
  CHECK_THROWS_AS(nn::FeedForward({4}, {}, rng), ArgumentError);
  const std::string message = message_of<ArgumentError>([&] { nn::FeedForward({4, 3, 2}, {nn::relu}, rng); });
  CHECK(contains(message, "one activation per layer, 2 of them, given 1"));
}

TEST_CASE("nn/errors: after a throw the next call works") {
  Rng rng{36};
  const nn::FeedForward net{{4, 2}, {nn::identity}, rng};
  Tape tape;
  CHECK_THROWS_AS(net(ones({5})), ShapeError);
  CHECK(tape.size() == 0);
  const Tensor y = net(ones({4}));
  CHECK(tape.gradient(sum(y)).size() == 2);
  // The line of the failed call is forgotten.
  const int line = __LINE__ + 1;
  const Tensor z = sum(y);
  CHECK(tape[tape.size() - 1].where.line == line);
}
