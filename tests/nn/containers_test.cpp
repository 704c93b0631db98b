// Residual and Parallel, the small layers, freezing and tying.

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "nn/nn.h"
#include "optim/optim.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using tapegrad::testing::message_of;

namespace {

std::string here(int line) { return "(containers_test.cpp:" + std::to_string(line) + ")"; }

}  // namespace

TEST_CASE("nn/containers: Residual is x + f(x), or projection(x) + f(x)") {
  Rng rng{1};
  const nn::Linear inner(4, 4, rng), outer(4, 2, rng), projection(4, 2, rng);
  const Tensor x = rng.normal({3, 4});
  const nn::Residual plain(nn::Sequential(inner, nn::tanh));
  CHECK(equal(plain(x), x + tanh(inner(x))));
  const nn::Residual changing(outer, projection);
  CHECK(equal(changing(x), projection(x) + outer(x)));
  const ParameterList list = parameters(changing);
  REQUIRE(list.size() == 4);
  CHECK(list[0].name() == "f.weight");
  CHECK(list[2].name() == "projection.weight");

  const nn::Residual other = changing;  // a copy has cells of its own
  CHECK(parameters(other)[0].id() != list[0].id());
  CHECK(equal(other(x), changing(x)));

  // One column would broadcast; it must not.
  const nn::Residual narrow(nn::Linear(4, 1, rng));
  int line = __LINE__ + 1;
  std::string message = message_of<ShapeError>([&] { narrow(x); });
  CHECK(message ==
        "[Residual] expected f to give float32[3, 4] like x, which a projection could change, given "
        "float32[3, 1] " +
            here(line));
  const nn::Residual unlike(nn::Linear(4, 1, rng), nn::Linear(4, 3, rng));
  line = __LINE__ + 1;
  message = message_of<ShapeError>([&] { unlike(x); });
  CHECK(message ==
        "[Residual] expected f to give float32[3, 3] like the projection, given float32[3, 1] " + here(line));
  // Inside another layer, the line of who called that.
  line = __LINE__ + 1;
  message = message_of<ShapeError>([&] { nn::Sequential{narrow}(x); });
  CHECK(message.find(here(line) + "\n  in 0: Residual") != message.npos);
  const nn::Residual deep(nn::Linear(5, 5, rng));
  line = __LINE__ + 1;
  message = message_of<ShapeError>([&] { nn::Sequential{deep}(x); });
  CHECK(message.find(here(line)) != message.npos);
  CHECK(message.find("\n  in f: Linear 5→5\n  in 0: Residual") != message.npos);
}

TEST_CASE("nn/containers: Parallel puts branches side by side or adds them") {
  Rng rng{2};
  const nn::Linear a(4, 3, rng), b(4, 3, rng);
  const Tensor x = rng.normal({2, 4});
  CHECK(equal(nn::Parallel(nn::Join::concat, a, nn::relu, b)(x), cat({a(x), relu(x), b(x)}, -1)));
  CHECK(equal(nn::Parallel(nn::Join::concat, a, b).along(0)(x), cat({a(x), b(x)}, 0)));
  CHECK(equal(nn::Parallel(nn::Join::sum, a, b, a)(x), a(x) + b(x) + a(x)));
  const nn::Parallel net(nn::Join::sum, a, b);
  CHECK(net.size() == 2);
  CHECK(parameters(net)[2].name() == "1.weight");
  const nn::Parallel uneven(nn::Join::sum, a, nn::Linear(4, 1, rng));
  const int line = __LINE__ + 1;
  const std::string message = message_of<ShapeError>([&] { uneven(x); });
  CHECK(
      message ==
      "[Parallel] expected every branch to give float32[2, 3], like branch 0, branch 1 gives float32[2, 1] " +
          here(line));
  Tape tape;
  const Gradients g = tape.gradient(sum(square(net(x))));
  CHECK(unused(parameters(net), g).empty());
}

TEST_CASE("nn/containers: gradients agree with finite differences") {
  Rng rng{3};
  const nn::Sequential net(
      nn::Residual(nn::Sequential(nn::Linear(3, 3, rng, nn::xavier_normal, float64), nn::tanh)),
      nn::Parallel(nn::Join::concat, nn::Linear(3, 2, rng, nn::orthogonal, float64), nn::sigmoid));
  const Tensor x = rng.normal({2, 3}, float64);
  const Report report = gradcheck([&] { return net(x); }, parameters(net));
  INFO(report.text());
  CHECK(report.ok());
}

TEST_CASE("nn/layers: Dropout drops while training only, and a seed repeats it") {
  Rng a{4}, b{4};
  nn::Dropout first(0.25, a), second(0.25, b);
  const Tensor x = ones({4000});
  const Tensor y = first(x);
  CHECK(equal(y, second(x)));
  CHECK_FALSE(equal(y, first(x)));  // the next call draws anew
  // Each element is 0 or 1/(1 − p); 1000 zeros expected, standard deviation √(4000·0.25·0.75).
  const double zeros = sum(cast(eq(y, 0.0), int64)).item();
  CHECK(std::fabs(zeros - 1000) <= 5 * std::sqrt(750.0));
  CHECK(sum(cast(eq(y, 4.0f / 3.0f), int64)).item() == 4000 - zeros);
  nn::eval(first);
  CHECK(equal(first(x), x));
  nn::train(first);
  CHECK_FALSE(equal(first(x), x));
  CHECK(message_of<ArgumentError>([&] { nn::Dropout(1.5, a); }) ==
        "[Dropout] p must be in [0, 1], given 1.5");
}

TEST_CASE("nn/layers: Flatten and Embedding") {
  Rng rng{5};
  CHECK(nn::Flatten()(ones({2, 3, 4})).shape() == Shape{2, 12});
  CHECK(nn::Flatten{0, 1}(ones({2, 3, 4})).shape() == Shape{6, 4});
  const nn::Embedding embedding(5, 3, rng, 1);
  const Tensor index = tensor({{1, 4}, {4, 0}});
  CHECK(equal(embedding(index), tapegrad::embedding(index, embedding.weight.value())));
  CHECK(equal(embedding(tensor({1})), zeros({1, 3})));
  Tape tape;
  const Gradients g = tape.gradient(sum(embedding(index)));
  CHECK(equal(g[embedding.weight][1], zeros({3})));
  CHECK(equal(g[embedding.weight][4], full({3}, 2)));
  CHECK(message_of<ArgumentError>([&] { nn::Embedding(0, 3, rng); }) ==
        "[Embedding] expected at least one input and one output, given 0→3");
  CHECK(message_of<ArgumentError>([&] { nn::Embedding(5, 3, rng, 5); }) ==
        "[Embedding] padding_idx must be in [0, 5), given 5");
}

TEST_CASE("nn/freeze: a frozen parameter gets no gradient and no step, and can learn again") {
  Rng rng{6};
  nn::FeedForward net{{3, 4, 2}, {nn::tanh, nn::identity}, rng};
  optim::SGD sgd(parameters(net), {.learning_rate = 0.1, .momentum = 0.9});
  const Tensor x = rng.normal({5, 3}), y = rng.normal({5, 2});
  const auto step = [&] {
    Tape tape;
    const Gradients g = tape.gradient(mse_loss(net(x), y));
    CHECK(unused(parameters(net), g).empty());
    sgd.step(g);
    return g;
  };
  step();
  nn::freeze(net.layers[0]);
  CHECK_FALSE(net.layers[0].weight.requires_grad());
  CHECK(net.layers[1].weight.requires_grad());
  const Tensor kept = net.layers[0].weight.value(), changed = net.layers[1].weight.value();
  const Gradients g = step();
  CHECK(g.size() == 2);
  CHECK_FALSE(g.contains(net.layers[0].weight));
  CHECK(equal(net.layers[0].weight.value(), kept));
  CHECK_FALSE(equal(net.layers[1].weight.value(), changed));
  // As a tensor it is a constant, too; a copy stays frozen, an assigned value does not thaw it.
  {
    Tape tape;
    const Tensor w = net.layers[0].weight;
    CHECK_THROWS_AS(tape.gradient(sum(w)), GraphError);
  }
  const nn::FeedForward copy = net;
  CHECK_FALSE(copy.layers[0].weight.requires_grad());
  CHECK(parameters(copy).size() == 4);
  net.layers[0].weight = zeros({4, 3});
  CHECK_FALSE(net.layers[0].weight.requires_grad());
  nn::unfreeze(net);
  step();
  CHECK_FALSE(equal(net.layers[0].weight.value(), zeros({4, 3})));
}

TEST_CASE("nn/freeze: a Program that recorded a parameter as learning says so") {
  Rng rng{7};
  nn::Linear net(3, 2, rng);
  const Tensor x = rng.normal({5, 3});
  Program step = capture([&](const Tensor& x) { return sum(square(net(x))); }, x);
  step.check_every(1);
  CHECK(step(x).gradients.size() == 2);
  net.bias.requires_grad_(false);
  CHECK_THROWS_AS(step(x), GraphError);
  Program anew = capture([&](const Tensor& x) { return sum(square(net(x))); }, x);
  CHECK(anew(x).gradients.size() == 1);
}

TEST_CASE("nn/freeze: gradcheck leaves out what is frozen") {
  Rng rng{9};
  const nn::FeedForward net{{3, 4, 2}, {nn::tanh, nn::identity}, rng, nn::gaussian, float64};
  nn::freeze(net.layers[0]);
  const Tensor x = rng.normal({2, 3}, float64);
  const Report report = gradcheck([&] { return net(x); }, parameters(net));
  INFO(report.text());
  CHECK(report.ok());
  CHECK(report.entries().size() == 2 * 4 + 2);
}

TEST_CASE("nn/freeze: buffers and nothing cannot be frozen") {
  const Buffer buffer(ones({2}), "running_mean");
  CHECK(message_of<ArgumentError>([&] { buffer.ref().requires_grad_(false); }) ==
        "[requires_grad_] \"running_mean\" is a buffer, which no gradient reaches");
  CHECK(message_of<ArgumentError>([] { Parameter().requires_grad_(); }) ==
        "[requires_grad_] an undefined parameter given");
  CHECK_FALSE(buffer.ref().requires_grad());
}

TEST_CASE("nn/tie: one parameter in two modules is counted, differentiated and stepped once") {
  Rng rng{8};
  nn::Embedding embedding(6, 4, rng);
  nn::Linear decoder(4, 6, rng);
  decoder.weight.tie(embedding.weight);
  nn::Sequential net(std::move(embedding), std::move(decoder));
  const ParameterList list = parameters(net);
  REQUIRE(list.size() == 2);
  CHECK(list[0].name() == "0.weight");
  CHECK(list[1].name() == "1.bias");
  CHECK(count_parameters(net) == 6 * 4 + 6);

  const Tensor index = tensor({1, 3});
  const Tensor before = list[0].value();
  optim::SGD sgd(list, {.learning_rate = 0.5});
  Tape tape;
  const Gradients g = tape.gradient(sum(square(net(index))));
  CHECK(g.size() == 2);
  sgd.step(g);
  CHECK(allclose(list[0].value(), before - g[list[0]] * 0.5, 1e-6, 1e-6));
  CHECK(list[0].version() == 1);

  // The gradient is the sum over both places.
  const Parameter one(before), two(before), bias(zeros({6}));
  Tape apart;
  const Tensor loss = sum(square(linear(tapegrad::embedding(index, one), two, bias)));
  const Gradients h = apart.gradient(loss);
  CHECK(allclose(g[list[0]], h[one] + h[two], 1e-5, 1e-5));
}

TEST_CASE("nn/tie: shapes and dtypes have to be the same, and a copy is on its own") {
  Parameter a(ones({2, 3}), "a"), b(zeros({2, 3}), "b");
  CHECK(&a.tie(b) == &a);
  CHECK(a.ref().id() == b.ref().id());
  CHECK(equal(a.value(), zeros({2, 3})));
  const Parameter copy = a;
  CHECK(copy.ref().id() != b.ref().id());
  Parameter empty;
  empty.tie(b);
  CHECK(empty.ref().id() == b.ref().id());
  Parameter wide(ones({3, 2}), "wide"), doubled(ones({2, 3}, float64), "doubled");
  CHECK(message_of<ShapeError>([&] { wide.tie(b); }) ==
        "[tie] \"wide\" is float32[3, 2], but \"b\" is float32[2, 3]");
  CHECK(message_of<DTypeError>([&] { doubled.tie(b); }) ==
        "[tie] \"doubled\" is float64[2, 3], but \"b\" is float32[2, 3]");
  CHECK(message_of<ArgumentError>([&] { wide.tie(Parameter()); }) == "[tie] an undefined parameter given");
  CHECK(equal(wide.value(), ones({3, 2})));
}
