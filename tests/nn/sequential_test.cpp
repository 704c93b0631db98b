#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <type_traits>

#include "nn/nn.h"

using namespace tapegrad;

namespace {

// A layer of the user's own.
struct Scale {
  Parameter factor;
  bool training = true;
  explicit Scale(int64_t n) : factor(full({n}, 3.0)) {}
  static constexpr int kLine = __LINE__ + 1;
  Tensor operator()(const Tensor& x) const { return training ? x * factor : x; }
  static void fields(auto& self, auto&& f) {
    f("factor", self.factor);
    f("training", self.training);
  }
};

struct MoveOnly {
  std::unique_ptr<nn::Linear> linear;
  Tensor operator()(const Tensor& x) const { return (*linear)(x); }
  static void fields(auto& self, auto&& f) { f("linear", self.linear); }
};

// Carries a weight and does not name it.
struct Forgetful {
  Parameter weight;
  Tensor operator()(const Tensor& x) const { return x * weight; }
};
static_assert(!nn::SequentialLayer<Forgetful>);
static_assert(nn::SequentialLayer<Scale> && nn::SequentialLayer<nn::Linear> &&
              nn::SequentialLayer<nn::Activation>);
static_assert(nn::SequentialLayer<nn::Sequential>);

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("nn/sequential: layers of any type, one after the other") {
  Rng rng{41};
  const nn::Linear first{4, 3, rng};
  const nn::Layer last{3, 2, nn::tanh, rng};
  const auto plus_one = [](const Tensor& x) { return x + 1.0; };
  const nn::Sequential net(first, nn::relu, Scale(3), plus_one, last);
  CHECK(net.size() == 5);
  const Tensor x = rng.normal({5, 4});
  CHECK(equal(net(x), last(relu(first(x)) * full({3}, 3.0) + 1.0)));
  CHECK(equal(nn::Sequential()(x), x));
}

TEST_CASE("nn/sequential: names, switches and gradients reach the user's layer") {
  Rng rng{42};
  nn::Sequential net(nn::Linear(4, 3, rng), Scale(3), nn::Sequential(nn::Linear(3, 2, rng)));
  const ParameterList list = parameters(net);
  REQUIRE(list.size() == 5);
  CHECK(list[2].name() == "1.factor");
  CHECK(list[3].name() == "2.0.weight");
  {
    Tape tape;
    const Gradients g = tape.gradient(sum(net(ones({4}))));
    CHECK(unused(list, g).empty());
  }
  nn::eval(net);
  Tape tape;
  const Gradients g = tape.gradient(sum(net(ones({4}))));
  CHECK(g.find(list[2]) == nullptr);
  CHECK(unused(list, g).size() == 1);
}

TEST_CASE("nn/sequential: a copy has cells of its own, a move keeps them") {
  Rng rng{43};
  nn::Sequential net(nn::Linear(4, 3, rng), Scale(3));
  const ParameterList mine = parameters(net);
  nn::Sequential copy = net;
  const ParameterList theirs = parameters(copy);
  REQUIRE(theirs.size() == mine.size());
  for (size_t i = 0; i < mine.size(); ++i) {
    CHECK(theirs[i].id() != mine[i].id());
    CHECK(equal(theirs[i].value(), mine[i].value()));
  }
  const nn::Sequential moved = std::move(net);
  CHECK(parameters(moved).front().id() == mine.front().id());

  nn::Sequential single;
  single.add(MoveOnly{std::make_unique<nn::Linear>(4, 3, rng)});
  CHECK(parameters(single).front().name() == "0.linear.weight");
  CHECK_THROWS_AS(nn::Sequential{single}, ArgumentError);
}

TEST_CASE("nn/sequential: errors name the layer and a user's layer reports its own line") {
  Rng rng{44};
  const nn::Sequential net(nn::Linear(4, 3, rng), Scale(5));
  std::string message;
  int line = 0;
  try {
    line = __LINE__ + 1;
    net(ones({2}));
  } catch (const ShapeError& error) {
    message = error.what();
  }
  CAPTURE(message);
  CHECK(contains(message, "in 0: Linear 4→3"));
  CHECK(contains(message, "(sequential_test.cpp:" + std::to_string(line) + ")"));

  message.clear();
  try {
    net(ones({4}));
  } catch (const ShapeError& error) {
    message = error.what();
  }
  CHECK(contains(message, "[mul]"));
  CHECK(contains(message, "in 1: Scale"));
  CHECK(contains(message, "(sequential_test.cpp:" + std::to_string(Scale::kLine) + ")"));
}
