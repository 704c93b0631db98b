// The library's conventions at kinks, ties and poles: the points where engines disagree.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

#include "autograd/autograd.h"

using namespace tapegrad;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Tensor list(std::initializer_list<double> values) {
  return from_span(std::span<const double>(values.begin(), values.size()),
                   {static_cast<int64_t>(values.size())});
}

// The gradient of Σ c·f(x) with respect to x.
template <class F>
Tensor gradient(const F& f, const Tensor& at, const Tensor& c = {}) {
  Tape tape;
  const Tensor x = tape.watch(at);
  const Tensor y = f(x);
  return tape.gradient(y, c.defined() ? c : ones(y.shape(), y.dtype()))[x];
}

}  // namespace

TEST_CASE("autograd/conventions: kinks at 0 have gradient 0") {
  const Tensor x = list({0.0, -0.0, 2, -2});
  CHECK(equal(gradient([](const Tensor& t) { return relu(t); }, x), list({0, 0, 1, 0})));
  CHECK(equal(gradient([](const Tensor& t) { return abs(t); }, x), list({0, 0, 1, -1})));
  CHECK(equal(gradient([](const Tensor& t) { return sign(t); }, x), list({0, 0, 0, 0})));
}

TEST_CASE("autograd/conventions: relu of NaN is NaN and passes the cotangent") {
  CHECK(equal(relu(list({kNan})), list({kNan})));
  CHECK(equal(gradient([](const Tensor& t) { return relu(t); }, list({kNan}), list({3})), list({3})));
}

TEST_CASE("autograd/conventions: poles") {
  CHECK(equal(gradient([](const Tensor& t) { return sqrt(t); }, list({0.0, -0.0, 4})),
              list({kInf, kInf, 0.25})));
  CHECK(equal(gradient([](const Tensor& t) { return sqrt(t); }, list({0, 4}), list({0, 0})), list({0, 0})));
  CHECK(equal(sqrt(list({-1, 0})), list({kNan, 0})));
  CHECK(equal(log(list({0.0, -0.0, -1})), list({-kInf, -kInf, kNan})));
  CHECK(equal(gradient([](const Tensor& t) { return log(t); }, list({0.0, -1, 2})), list({kInf, kNan, 0.5})));
  CHECK(equal(gradient([](const Tensor& t) { return log(t); }, list({0.0, 2}), list({0, 0})), list({0, 0})));
  CHECK(equal(1.0 / list({0.0, -0.0}), list({kInf, -kInf})));
}

TEST_CASE("autograd/conventions: saturation") {
  CHECK(equal(exp(list({1000, -1000})), list({kInf, 0})));
  CHECK(equal(sigmoid(list({1000, -1000})), list({1, 0})));
  CHECK(equal(gradient([](const Tensor& t) { return sigmoid(t); }, list({1000, -1000})), list({0, 0})));
  CHECK(equal(tanh(list({1000, -1000, kInf, -kInf})), list({1, -1, 1, -1})));
  CHECK(equal(gradient([](const Tensor& t) { return tanh(t); }, list({1000, -1000})), list({0, 0})));
  // Far from 0 the slope keeps its digits: 4·e^{−2x}.
  const Tensor slope = gradient([](const Tensor& t) { return tanh(t); }, list({30}));
  CHECK(slope.item() == doctest::Approx(4 * std::exp(-60.0)).epsilon(1e-13).scale(0));
}

TEST_CASE("autograd/conventions: powers") {
  CHECK(equal(pow(list({0, 0, -2, -2, 2}), list({0, 2, 3, 0.5, kNan})), list({1, 0, -8, kNan, kNan})));
  Tape tape;
  const Tensor x = tape.watch(list({0, 0, 0, -2, 0, 0}));
  const Tensor p = tape.watch(list({0, 1, 2, 3, -1, 0.5}));
  const Gradients g = tape.gradient(pow(x, p), ones({6}, float64));
  CHECK(equal(g[x], list({0, 1, 0, 12, -kInf, kInf})));
  CHECK(equal(g[p], list({0, 0, 0, kNan, -kInf, 0})));
  CHECK(equal(gradient([](const Tensor& t) { return pow(t, 0); }, list({0, -3, kInf})), list({0, 0, 0})));
}

TEST_CASE("autograd/conventions: a tie of maximum and minimum is split in half") {
  for (bool largest : {true, false}) {
    Tape tape;
    const Tensor a = tape.watch(list({1, 2, 3}));
    const Tensor b = tape.watch(list({2, 2, 1}));
    const Gradients g = tape.gradient(largest ? maximum(a, b) : minimum(a, b), list({4, 4, 4}));
    CHECK(equal(g[a], largest ? list({0, 2, 4}) : list({4, 2, 0})));
    CHECK(equal(g[b], largest ? list({4, 2, 0}) : list({0, 2, 4})));
  }
}

TEST_CASE("autograd/conventions: ties of max and amax") {
  const Tensor x = tensor({{3.0, 5.0, 5.0, 1.0}, {2.0, 2.0, 2.0, 2.0}}, float64);
  const ValuesAndIndices top = max(x, 1);
  CHECK(equal(top.values, list({5, 2})));
  CHECK(equal(top.indices, tensor({1, 0})));
  CHECK(equal(argmax(x, 1), tensor({1, 0})));
  const Tensor c = list({3, 8});
  const Tensor one = gradient([](const Tensor& t) { return max(t, 1).values; }, x, c);
  CHECK(equal(one, tensor({{0, 3, 0, 0}, {8, 0, 0, 0}}, float64)));
  const Tensor even = gradient([](const Tensor& t) { return amax(t, Dims{1}); }, x, c);
  CHECK(equal(even, tensor({{0.0, 1.5, 1.5, 0.0}, {2.0, 2.0, 2.0, 2.0}}, float64)));
  CHECK(equal(sum(one, Dims{1}), c));
  CHECK(equal(sum(even, Dims{1}), c));
}

TEST_CASE("autograd/conventions: logsumexp where all are -inf") {
  const Tensor x = tensor({{-1.0, -2.0}, {0.0, 0.0}}, float64);
  const Tensor gone = cat({slice(x, 0, 0, 1), full({1, 2}, -kInf, float64)}, 0);
  CHECK(equal(slice(logsumexp(gone, Dims{1}), 0, 1, 2), list({-kInf})));
  const Tensor g = gradient([](const Tensor& t) { return logsumexp(t, Dims{1}); }, gone);
  CHECK(equal(g[1], list({0, 0})));
  CHECK(sum(g[0]).item() == doctest::Approx(1).epsilon(1e-15));
  CHECK(logsumexp(list({1e50, 1e50})).item() == 1e50);
  CHECK(equal(gradient([](const Tensor& t) { return logsumexp(t); }, list({1e50, 1e50})), list({0.5, 0.5})));
  CHECK(logsumexp(zeros({0}, float64)).item() == -kInf);
  CHECK(logsumexp(list({kInf, 1})).item() == kInf);
}

TEST_CASE("autograd/conventions: softmax with -inf") {
  const Tensor x = list({-kInf, 1, 1});
  CHECK(equal(softmax(x, 0), list({0, 0.5, 0.5})));
  const Tensor g = gradient([](const Tensor& t) { return softmax(t, 0); }, x, list({1, 2, 3}));
  CHECK(equal(g, list({0, -0.25, 0.25})));
  CHECK(equal(softmax(list({-kInf, -kInf}), 0), list({kNan, kNan})));
  CHECK(softmax(zeros({2, 0}, float64), 1).shape() == Shape{2, 0});
}

TEST_CASE("autograd/conventions: softmax and cross entropy at ±1e4 do not overflow") {
  const Tensor x = list({1e4, -1e4, 1e4});
  CHECK(equal(softmax(x, 0), list({0.5, 0, 0.5})));
  const double half = -std::log(2.0);
  CHECK(allclose(log_softmax(x, 0), list({half, -2e4 + half, half}), 1e-15));
  CHECK(allclose(gradient([](const Tensor& t) { return log_softmax(t, 0); }, x, list({1, 0, 0})),
                 list({0.5, 0, -0.5}), 1e-15));
  const Tensor rows = tensor({{1e4, -1e4}, {-1e4, 1e4}}, float64);
  const Tensor target = tensor({0, 0});
  const Tensor loss = cross_entropy(rows, target, Reduction::none);
  CHECK(equal(loss, list({0, 2e4})));
  const Tensor g = gradient([&](const Tensor& t) { return cross_entropy(t, target, Reduction::sum); }, rows);
  CHECK(equal(g, tensor({{0, 0}, {-1, 1}}, float64)));
}

TEST_CASE("autograd/conventions: where lets nothing through from the other side") {
  const Tensor x = list({-1, 4});
  const Tensor g = gradient([](const Tensor& t) { return where(t > 0.0, sqrt(t), t); }, x);
  CHECK(equal(g, list({1, 0.25})));
  CHECK(equal(where(tensor({true, false}), list({1, kNan}), list({kNan, 2})), list({1, 2})));
  const Tensor at_pole =
      gradient([](const Tensor& t) { return where(t > 0.0, log(t), t * 3.0); }, list({0, 2}));
  CHECK(equal(at_pole, list({3, 0.5})));
}

TEST_CASE("autograd/conventions: -0 is kept") {
  auto negative_zero = [](const Tensor& t) {
    for (double v : t.to_vector<double>()) {
      if (v != 0 || !std::signbit(v)) return false;
    }
    return true;
  };
  const Tensor x = full({2, 3}, -0.0, float64);
  CHECK(negative_zero(x));
  CHECK(negative_zero(-full({3}, 0.0, float64)));
  CHECK_FALSE(negative_zero(-x));
  CHECK(negative_zero(reshape(x, {6})));
  CHECK(negative_zero(transpose(x, 0, 1)));
  CHECK(negative_zero(slice(x, 1, 0, 2)));
  CHECK(negative_zero(expand(x, {2, 2, 3})));
  CHECK(negative_zero(cat({x, x}, 1)));
  CHECK(negative_zero(index_select(x, 0, tensor({1}))));
  CHECK(negative_zero(Parameter(x).value()));
  CHECK(negative_zero(cast(cast(x, float32), float64)));
}

TEST_CASE("autograd/conventions: NaN wins in max and min, and the first NaN in argmax") {
  const Tensor x = list({1, kNan, 3, kNan});
  CHECK(std::isnan(amax(x).item()));
  CHECK(std::isnan(max(x, 0).values.item()));
  CHECK(max(x, 0).indices.item() == 1);
  CHECK(argmax(x, 0).item() == 1);
  const Tensor late = list({1, 2, 3, 4, 5, 6, 7, 8, kNan});
  CHECK(std::isnan(amax(late).item()));
  CHECK(argmax(late, 0).item() == 8);
  CHECK(equal(maximum(list({1, kNan}), list({kNan, 1})), list({kNan, kNan})));
  CHECK(equal(minimum(list({1, kNan}), list({kNan, 1})), list({kNan, kNan})));
}

TEST_CASE("autograd/conventions: inf - inf and 0·inf are NaN") {
  CHECK(equal(list({kInf}) - list({kInf}), list({kNan})));
  CHECK(equal(list({0}) * list({kInf}), list({kNan})));
  CHECK(std::isnan(sum(list({kInf, -kInf})).item()));
  CHECK(std::isnan(matmul(list({0, 1}), list({kInf, 1})).item()));
}

TEST_CASE("autograd/conventions: reductions of nothing") {
  const Tensor none = zeros({0}, float64);
  CHECK(sum(none).item() == 0);
  CHECK(std::isnan(mean(none).item()));
  CHECK(gradient([](const Tensor& t) { return sum(t); }, none).shape() == Shape{0});
  CHECK_THROWS_AS(amax(none), ShapeError);
  CHECK_THROWS_AS(argmax(none, 0), ShapeError);
  CHECK(std::isnan(mse_loss(none, none).item()));
  CHECK(equal(matmul(zeros({2, 0}, float64), zeros({0, 3}, float64)), zeros({2, 3}, float64)));
  // A zero-size operand beside one that broadcasts.
  Tape tape;
  const Tensor b = tape.watch(ones({4, 1}, float64));
  const Tensor y = zeros({4, 0}, float64) + b;
  CHECK(y.shape() == Shape{4, 0});
  CHECK(equal(tape.gradient(y, zeros({4, 0}, float64))[b], zeros({4, 1}, float64)));
}

TEST_CASE("autograd/conventions: duplicate indices add up") {
  const Tensor g = gradient(
      [](const Tensor& t) {
        return index_select(t, 0, tensor({2, 0, 2, 2}));
      },
      list({1, 2, 3}), list({1, 10, 100, 1000}));
  CHECK(equal(g, list({10, 0, 1101})));
  CHECK(equal(gradient(
                  [](const Tensor& t) {
                    return gather(t, 0, tensor({1, 1}));
                  },
                  list({1, 2}), list({3, 4})),
              list({0, 7})));
  CHECK(equal(scatter_add(list({0, 0}), 0, tensor({1, 1, 1}), list({1, 2, 4})), list({0, 7})));
  CHECK(equal(index_add(list({0, 0}), 0, tensor({0, 0}), list({1, 2})), list({3, 0})));
}
