#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nn/nn.h"

using namespace tapegrad;

namespace {

std::vector<std::string> names(const ParameterList& cells) {
  std::vector<std::string> result;
  for (const CellRef& cell : cells) result.emplace_back(cell.name());
  return result;
}

using Names = std::vector<std::string>;

// A decoder that uses the encoder's weight again.
struct Tied {
  std::shared_ptr<Parameter> encoder, decoder;
  explicit Tied(Rng& rng) : encoder(std::make_shared<Parameter>(rng.normal({3, 2}))), decoder(encoder) {}
  static void fields(auto& self, auto&& f) {
    f("encoder", self.encoder);
    f("decoder", self.decoder);
  }
};

struct Everything {
  Parameter scale{ones({2})};
  Parameter absent;
  Buffer mean{zeros({3})};
  std::optional<nn::Linear> head;
  std::optional<nn::Linear> missing;
  std::unique_ptr<nn::Linear> tail;
  std::vector<Parameter> list;
  int64_t width = 3;
  bool training = true;
  bool other = true;
  static void fields(auto& self, auto&& f) {
    f("scale", self.scale);
    f("absent", self.absent);
    f("mean", self.mean);
    f("head", self.head);
    f("missing", self.missing);
    f("tail", self.tail);
    f("list", self.list);
    f("width", self.width);
    f("training", self.training);
    f("other", self.other);
  }
};

struct Outer {
  std::vector<Everything> inner{2};
  bool training = true;
  Tensor operator()(const Tensor& x) const { return x; }
  static void fields(auto& self, auto&& f) {
    f("inner", self.inner);
    f("training", self.training);
  }
};

}  // namespace

TEST_CASE("nn/module: names follow the fields") {
  Rng rng{1};
  nn::Linear linear{3, 2, rng};
  CHECK(names(parameters(linear)) == Names{"weight", "bias"});
  nn::FeedForward net{{4, 3, 2}, {nn::relu, nn::identity}, rng};
  CHECK(names(parameters(net)) ==
        Names{"layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"});
  nn::Sequential sequential(nn::Linear(4, 3, rng), nn::relu, nn::Linear(3, 2, rng));
  CHECK(names(parameters(sequential)) == Names{"0.weight", "0.bias", "2.weight", "2.bias"});
}

TEST_CASE("nn/module: every kind of member is found, and empty ones are passed over") {
  Rng rng{2};
  Everything module;
  module.head.emplace(2, 3, rng);
  module.tail = std::make_unique<nn::Linear>(3, 1, rng);
  module.list.emplace_back(ones({4}));
  module.list.emplace_back(ones({5}));
  CHECK(names(parameters(module)) ==
        Names{"scale", "head.weight", "head.bias", "tail.weight", "tail.bias", "list.0", "list.1"});
  CHECK(names(buffers(module)) == Names{"mean"});
  CHECK(count_parameters(module) == 2 + (6 + 3) + (3 + 1) + 4 + 5);
}

TEST_CASE("nn/module: a name that was given stays") {
  std::vector<Parameter> list;
  list.emplace_back(ones({1}), "alpha");
  list.emplace_back(ones({1}));
  // Counting gives no names.
  CHECK(count_parameters(list) == 2);
  CHECK_FALSE(list[1].ref().named());
  CHECK(names(parameters(list)) == Names{"alpha", "1"});
  CHECK(list[1].ref().named());
}

TEST_CASE("nn/module: a tied weight counts once") {
  Rng rng{3};
  Tied module(rng);
  const ParameterList list = parameters(module);
  REQUIRE(list.size() == 1);
  CHECK(list[0].name() == "encoder");
  CHECK(count_parameters(module) == 6);
}

TEST_CASE("nn/module: counts of a network") {
  Rng rng{4};
  nn::FeedForward net{{784, 256, 10}, {nn::relu, nn::identity}, rng};
  CHECK(count_parameters(net) == 784 * 256 + 256 + 256 * 10 + 10);
  CHECK(count_parameters(nn::Neuron(5, nn::sigmoid, rng)) == 6);
}

TEST_CASE("nn/module: a copy has cells of its own and the same values, a move keeps the cells") {
  Rng rng{5};
  nn::FeedForward net{{4, 3, 2}, {nn::tanh, nn::identity}, rng};
  const ParameterList mine = parameters(net);
  nn::FeedForward copy = net;
  const ParameterList theirs = parameters(copy);
  REQUIRE(theirs.size() == mine.size());
  for (size_t i = 0; i < mine.size(); ++i) {
    CHECK(theirs[i].id() != mine[i].id());
    CHECK(theirs[i].name() == mine[i].name());
    CHECK(equal(theirs[i].value(), mine[i].value()));
  }
  CHECK(fingerprint(mine) == fingerprint(theirs));

  copy.layers[0].bias = full({3}, 7.0);
  CHECK_FALSE(equal(copy.layers[0].bias.value(), net.layers[0].bias.value()));
  CHECK(fingerprint(mine) != fingerprint(theirs));

  const nn::FeedForward moved = std::move(net);
  const ParameterList after = parameters(moved);
  REQUIRE(after.size() == mine.size());
  for (size_t i = 0; i < mine.size(); ++i) CHECK(after[i].id() == mine[i].id());
}

TEST_CASE("nn/module: assigning a network copies into the same cells") {
  Rng rng{6};
  nn::FeedForward a{{3, 2}, {nn::identity}, rng};
  const nn::FeedForward b{{3, 2}, {nn::identity}, rng};
  const ParameterList before = parameters(a);
  a = b;
  const ParameterList after = parameters(a);
  REQUIRE(after.size() == before.size());
  for (size_t i = 0; i < before.size(); ++i) CHECK(after[i].id() == before[i].id());
  CHECK(fingerprint(after) == fingerprint(parameters(b)));
}

TEST_CASE("nn/module: train and eval reach every depth, and only what is called training") {
  Outer module;
  nn::eval(module);
  CHECK_FALSE(module.training);
  for (const Everything& inner : module.inner) {
    CHECK_FALSE(inner.training);
    CHECK(inner.other);
  }
  nn::train(module);
  CHECK(module.training);
  for (const Everything& inner : module.inner) CHECK(inner.training);
}

TEST_CASE("nn/module: the fingerprint is FNV-1a over dtype, rank, sizes and elements") {
  CHECK(fingerprint({}) == 0xCBF29CE484222325u);
  const Parameter p(tensor({1.0, 2.0}, float32));
  // Written out: dtype 0, rank 1, size 2 as eight bytes each, then 0x3F800000 and 0x40000000, low byte first.
  const unsigned char bytes[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0,    0,    0, 0, 0, 0,
                                 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3F, 0, 0, 0, 0x40};
  uint64_t expected = 0xCBF29CE484222325u;
  for (unsigned char byte : bytes) {
    expected ^= byte;
    expected *= 0x100000001B3u;
  }
  CHECK(fingerprint(parameters(p)) == expected);
  const Parameter q(tensor({{1.0, 2.0}}, float32));
  CHECK(fingerprint(parameters(q)) != expected);
  const Parameter r(tensor({1.0, 2.0}, float64));
  CHECK(fingerprint(parameters(r)) != expected);
}
