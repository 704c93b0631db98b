// Products, running sums and products, and sorting at zeros, infinities, ties and NaN.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

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

TEST_CASE("autograd/scans: gradients of products with no, one and two zeros") {
  const auto product = [](const Tensor& t) { return prod(t); };
  CHECK(equal(gradient(product, list({2, 5, 3})), list({15, 6, 10})));
  CHECK(equal(gradient(product, list({2, 0, 3})), list({0, 6, 0})));
  CHECK(equal(gradient(product, list({2, 0, 0})), list({0, 0, 0})));
  CHECK(prod(zeros({0}, float64)).item() == 1);
  CHECK(equal(prod(tensor({{2, 3}, {-1, 4}}), Dims{1}), tensor({6, -4})));
  // In float64 inside: no overflow on the way.
  CHECK(prod(tensor({1e30, 1e30, 1e-30, 1e-30})).item() == doctest::Approx(1).epsilon(1e-6));
}

TEST_CASE("autograd/scans: second derivatives of a product with two zeros") {
  // ∂²/∂x0∂x1 of x0·x1·x2·x3 is x2·x3, whatever x0 and x1 are.
  Tape tape;
  const Tensor x = tape.watch(list({0, 0, 3, 5}));
  const Tensor g = tape.gradient(prod(x), {.differentiable = true})[x];
  CHECK(equal(g, list({0, 0, 0, 0})));
  CHECK(equal(tape.gradient(g, list({1, 0, 0, 0}))[x], list({0, 15, 0, 0})));
  CHECK(equal(tape.gradient(g, list({0, 0, 1, 0}))[x], list({0, 0, 0, 0})));
}

TEST_CASE("autograd/scans: third derivatives of a product are exact") {
  Tape tape;
  const Tensor x = tape.watch(list({0, 0, 0, 7}));
  const Tensor first = tape.gradient(prod(x), {.differentiable = true})[x];
  const Tensor second = tape.gradient(first, list({1, 0, 0, 0}), {.differentiable = true})[x];
  CHECK(equal(tape.gradient(second, list({0, 1, 0, 0}))[x], list({0, 0, 7, 0})));
}

TEST_CASE("autograd/scans: gradients of running products with zeros") {
  const auto products = [](const Tensor& t) { return cumprod(t, 0); };
  CHECK(equal(gradient(products, list({2, 0, 3, 4})), list({1, 32, 0, 0})));
  CHECK(equal(gradient(products, list({2, 0, 3, 0, 5})), list({1, 8, 0, 0, 0})));
  CHECK(equal(gradient(products, list({0, 0, 3}), list({1, 10, 100})), list({1, 0, 0})));
  CHECK(equal(gradient(products, list({0, 2, 3}), list({1, 10, 100})), list({621, 0, 0})));
}

TEST_CASE("autograd/scans: running sums") {
  CHECK(equal(cumsum(tensor({{1, 2, 3}, {4, 5, 6}}), 1), tensor({{1, 3, 6}, {4, 9, 15}})));
  CHECK(equal(cumsum(tensor({{1, 2, 3}, {4, 5, 6}}), 0), tensor({{1, 2, 3}, {5, 7, 9}})));
  CHECK(equal(gradient([](const Tensor& t) { return cumsum(t, 0); }, list({5, 6, 7}), list({1, 10, 100})),
              list({111, 110, 100})));
  CHECK(equal(cumsum(list({1, kInf, 1, -kInf}), 0), list({1, kInf, kInf, kNan})));
  CHECK(equal(cumsum(list({1, kNan, 1}), 0), list({1, kNan, kNan})));
  // 10 million times 0.1: a plain running sum is off by 1e-4 in float64 and far more in float32.
  const int64_t n = 10'000'000;
  const double tenth = 0.1;
  CHECK(cumsum(full({n}, tenth, float64), 0)[n - 1].item() == doctest::Approx(n * tenth).epsilon(1e-15));
  const double narrow = static_cast<double>(0.1f);
  CHECK(cumsum(full({n}, 0.1f), 0)[n - 1].item() == doctest::Approx(n * narrow).epsilon(0x1p-24));
}

TEST_CASE("autograd/scans: logcumsumexp") {
  const Tensor x = list({-kInf, -kInf, 1, -kInf, 1});
  const Tensor y = logcumsumexp(x, 0);
  CHECK(allclose(slice(y, 0, 2, 5), list({1, 1, 1 + std::log(2.0)}), 1e-15, 0));
  CHECK(equal(slice(y, 0, 0, 2), list({-kInf, -kInf})));
  const auto running = [](const Tensor& t) { return logcumsumexp(t, 0); };
  CHECK(allclose(gradient(running, x), list({0, 0, 2.5, 0, 0.5}), 1e-15, 0));
  CHECK(equal(logcumsumexp(list({1e4, -1e4, 1e4}), 0), list({1e4, 1e4, 1e4 + std::log(2.0)})));
  CHECK(equal(logcumsumexp(list({1, kInf, 3}), 0), list({1, kInf, kInf})));
  CHECK(equal(logcumsumexp(list({1, kNan, 3}), 0), list({1, kNan, kNan})));
  CHECK(logcumsumexp(list({0, -20}), 0)[1].item() ==
        doctest::Approx(std::log1p(std::exp(-20.0))).epsilon(1e-15).scale(0));
  // Rising by far: no exponent overflows in the gradient.
  CHECK(allclose(gradient(running, list({0, 1e3, 2e3}), list({1, 1, 1})), list({1, 1, 1}), 1e-15, 0));
}

TEST_CASE("autograd/scans: sorting keeps the order of equals, and NaN is largest") {
  const Tensor x = list({3, kNan, -0.0, 3, 0, -kInf, kInf, kNan});
  const ValuesAndIndices up = sort(x, 0);
  CHECK(equal(up.values, list({-kInf, 0, 0, 3, 3, kInf, kNan, kNan})));
  CHECK(std::signbit(up.values[1].item()));
  CHECK(equal(up.indices, tensor({5, 2, 4, 0, 3, 6, 1, 7})));
  const ValuesAndIndices down = sort(x, 0, true);
  CHECK(equal(down.values, list({kNan, kNan, kInf, 3, 3, 0, 0, -kInf})));
  CHECK(equal(down.indices, tensor({1, 7, 6, 0, 3, 2, 4, 5})));
  CHECK(
      equal(gradient([](const Tensor& t) { return sort(t, 0).values; }, list({3, 1, 2}), list({10, 20, 30})),
            list({30, 10, 20})));
  CHECK(equal(sort(tensor({3, -7, 3, 0})).values, tensor({-7, 0, 3, 3})));
}
