// Conventions that no single point of one op's samples can say: see autograd/samples.h for those, and
// registry_conventions_test.cpp for the loop over them.

#include <cmath>

#include "tests/support/faults.h"

using namespace tapegrad;
using namespace tapegrad::testing;

TEST_CASE("autograd/conventions: far from 0 the slope of tanh and sigmoid keeps its digits") {
  // 4·e^{−2x} and e^{−x}.
  CHECK(gradient([](const Tensor& t) { return tanh(t); }, list({30})).item() ==
        doctest::Approx(4 * std::exp(-60.0)).epsilon(1e-13).scale(0));
  CHECK(gradient([](const Tensor& t) { return sigmoid(t); }, list({300})).item() ==
        doctest::Approx(std::exp(-300.0)).epsilon(1e-13).scale(0));
}

// FAULTS 86, but for binary_cross_entropy_with_logits, which is in tests/faults/pending_test.cpp.
TEST_CASE("autograd/conventions: softmax and cross entropy at ±1e4 do not overflow") {
  const Tensor x = list({1e4, -1e4, 1e4});
  CHECK(equal(softmax(x, 0), list({0.5, 0, 0.5})));
  const double half = -std::log(2.0);
  CHECK(allclose(log_softmax(x, 0), list({half, -2e4 + half, half}), 8 * 0x1p-53, 0));
  CHECK(allclose(log_softmax(cast(x, float32), 0), cast(list({half, -2e4 + half, half}), float32),
                 8 * 0x1p-24, 0));
  CHECK(allclose(gradient([](const Tensor& t) { return log_softmax(t, 0); }, x, list({1, 0, 0})),
                 list({0.5, 0, -0.5}), 8 * 0x1p-53, 0));
  const Tensor rows = tensor({{1e4, -1e4}, {-1e4, 1e4}}, float64);
  const Tensor target = tensor({0, 0});
  const Tensor loss = cross_entropy(rows, target, Reduction::none);
  CHECK(equal(loss, list({0, 2e4})));
  const Tensor g = gradient([&](const Tensor& t) { return cross_entropy(t, target, Reduction::sum); }, rows);
  CHECK(equal(g, tensor({{0, 0}, {-1, 1}}, float64)));
}

TEST_CASE("autograd/conventions: products and losses over nothing") {
  const Tensor none = zeros({0}, float64);
  CHECK(std::isnan(mse_loss(none, none).item()));
  CHECK(equal(matmul(zeros({2, 0}, float64), zeros({0, 3}, float64)), zeros({2, 3}, float64)));
  CHECK(gradient(
            [](const Tensor& t) {
              return matmul(t, zeros({0, 3}, float64));
            },
            zeros({2, 0}, float64))
            .shape() == Shape{2, 0});
}
