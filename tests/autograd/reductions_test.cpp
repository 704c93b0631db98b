// Reductions at the points where a plain formula fails: huge and tiny numbers, ties, one element, none.

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

TEST_CASE("autograd/reductions: ties of amin share, min gives all to the first") {
  const Tensor x = tensor({{3.0, -5.0, -5.0, 1.0}, {2.0, 2.0, 2.0, 2.0}}, float64);
  const ValuesAndIndices low = min(x, 1);
  CHECK(equal(low.values, list({-5, 2})));
  CHECK(equal(low.indices, tensor({1, 0})));
  CHECK(equal(argmin(x, 1), tensor({1, 0})));
  const Tensor c = list({3, 8});
  const Tensor one = gradient([](const Tensor& t) { return min(t, 1).values; }, x, c);
  CHECK(equal(one, tensor({{0, 3, 0, 0}, {8, 0, 0, 0}}, float64)));
  const Tensor even = gradient([](const Tensor& t) { return amin(t, Dims{1}); }, x, c);
  CHECK(equal(even, tensor({{0.0, 1.5, 1.5, 0.0}, {2.0, 2.0, 2.0, 2.0}}, float64)));
}

TEST_CASE("autograd/reductions: NaN wins in amin, min and argmin, the first one") {
  const Tensor x = list({1, kNan, -3, kNan});
  CHECK(std::isnan(amin(x).item()));
  CHECK(std::isnan(min(x, 0).values.item()));
  CHECK(min(x, 0).indices.item() == 1);
  CHECK(argmin(x).item() == 1);
}

TEST_CASE("autograd/reductions: argmax and argmin of the flattened tensor") {
  const Tensor x = tensor({{3.0, 7.0}, {-1.0, 7.0}, {-1.0, 0.0}}, float64);
  CHECK(equal(argmax(x), full({}, 1, int64)));
  CHECK(equal(argmin(x), full({}, 2, int64)));
  CHECK(argmax(x, {}, true).shape() == Shape{1, 1});
  CHECK(equal(argmin(x, 0), tensor({1, 2})));
}

TEST_CASE("autograd/reductions: integers") {
  const Tensor x = tensor({{3, -7, 3}, {0, 2, 5}});
  CHECK(equal(amax(x), full({}, 5, int64)));
  CHECK(equal(amin(x, Dims{1}), tensor({-7, 0})));
  CHECK(equal(max(x, 0).values, tensor({3, 2, 5})));
  CHECK(equal(max(x, 0).indices, tensor({0, 1, 1})));
  CHECK(equal(min(x, 1).indices, tensor({1, 0})));
  CHECK(equal(argmax(x, 1), tensor({0, 2})));
  CHECK_THROWS_AS(amax(tensor({true, false})), DTypeError);
  CHECK_THROWS_AS(var(x), DTypeError);
}

TEST_CASE("autograd/reductions: variance and deviation of one element are NaN, and so is the gradient") {
  const Tensor x = list({3});
  CHECK(std::isnan(var(x).item()));
  CHECK(std::isnan(tapegrad::std(x).item()));
  CHECK(std::isnan(gradient([](const Tensor& t) { return var(t); }, x).item()));
  CHECK(std::isnan(gradient([](const Tensor& t) { return tapegrad::std(t); }, x).item()));
  CHECK(var(x, {}, 0).item() == 0);
  CHECK(gradient([](const Tensor& t) { return var(t, {}, 0); }, x).item() == 0);
  // Nothing flows where nothing is asked.
  CHECK(gradient([](const Tensor& t) { return var(t); }, x, full({}, 0, float64)).item() == 0);
  CHECK(std::isnan(var(zeros({0}, float64)).item()));
  // More is taken off than there is: divided by 0.
  CHECK(var(list({1, 2}), {}, 5).item() == kInf);
}

TEST_CASE("autograd/reductions: variance beside a large mean") {
  const double mean = 1e8;
  const Tensor x = list({mean, mean + 1, mean + 2, mean + 3});
  CHECK(var(x).item() == doctest::Approx(5.0 / 3).epsilon(1e-15));
  CHECK(allclose(gradient([](const Tensor& t) { return var(t); }, x), list({-1, -1.0 / 3, 1.0 / 3, 1}), 1e-15,
                 0));
  // The same in float32, whose numbers near 1e4 are 2^-10 apart.
  Rng rng(3);
  const Tensor narrow = rng.normal({100'003}) + 1e4;
  const double exact = var(cast(narrow, float64)).item();
  CHECK(std::fabs(var(narrow).item() - exact) <= 4 * 0x1p-24 * exact);
  const Tensor columns = reshape(slice(narrow, 0, 0, 100'000), {20'000, 5});
  const Tensor wide = var(cast(columns, float64), Dims{0});
  CHECK(allclose(cast(var(columns, Dims{0}), float64), wide, 4 * 0x1p-24, 0));
}

TEST_CASE("autograd/reductions: the deviation of equal elements is 0 with gradient 0") {
  for (double value : {0.0, 0.1, 1e30, -7.3}) {
    const Tensor x = full({1001}, value, float64);
    CHECK(tapegrad::std(x).item() == 0);
    CHECK(equal(gradient([](const Tensor& t) { return tapegrad::std(t); }, x), zeros({1001}, float64)));
  }
}

TEST_CASE("autograd/reductions: norms neither over- nor underflow") {
  for (double scale : {1e-200, 1e-160, 1.0, 1e160, 1e200, 1e-308, 1e307}) {
    const Tensor x = list({3 * scale, -4 * scale});
    for (double p : {2.0, 3.0, 1.5}) {
      const double exact = scale * std::pow(std::pow(3.0, p) + std::pow(4.0, p), 1 / p);
      CHECK(norm(x, p).item() == doctest::Approx(exact).epsilon(1e-14).scale(0));
    }
    const Tensor g = gradient([](const Tensor& t) { return norm(t); }, x);
    CHECK(allclose(g, list({0.6, -0.8}), 1e-14, 0));
  }
  CHECK(norm(tensor({3e-30, 4e-30})).item() == doctest::Approx(5e-30).epsilon(1e-6).scale(0));
  CHECK(norm(tensor({3e30, 4e30})).item() == doctest::Approx(5e30).epsilon(1e-6).scale(0));
  // Large and small in one vector, far enough apart to lie in different pieces.
  const Tensor far = cat({full({40'000}, 1e-200, float64), list({1e200}), full({40'000}, 1e-200, float64)});
  CHECK(norm(far).item() == doctest::Approx(1e200).epsilon(1e-15).scale(0));
  const Tensor columns = transpose(tensor({{3e200, 4e200}, {3e-200, -4e-200}, {0.0, 0.0}}, float64), 0, 1);
  CHECK(allclose(norm(columns, 2, Dims{0}) / list({1e200, 1e-200, 1}), list({5, 5, 0}), 1e-15, 0));
}

TEST_CASE("autograd/reductions: norms of special vectors") {
  for (double p : {0.0, 0.5, 1.0, 1.5, 2.0, 3.0, kInf, -kInf, -1.0}) {
    CAPTURE(p);
    const Tensor none = zeros({3}, float64);
    CHECK(norm(none, p).item() == 0);
    CHECK(equal(gradient([&](const Tensor& t) { return norm(t, p); }, none), none));
    CHECK(std::isnan(norm(list({1, kNan, 2}), p).item()) == (p != 0));
  }
  CHECK(norm(list({kInf, 1})).item() == kInf);
  CHECK(norm(list({1, -kInf}), 3).item() == kInf);
  CHECK(norm(list({2, 0, -3, 0}), 0).item() == 2);
  CHECK(norm(list({2, 0, -3}), -1).item() == 0);
  CHECK(norm(list({2, kInf}), -1).item() == 2);
  CHECK(norm(zeros({0}, float64)).item() == 0);
  CHECK_THROWS_AS(norm(zeros({0}, float64), kInf), ShapeError);
  CHECK_THROWS_AS(norm(zeros({0}, float64), -1), ShapeError);
  CHECK_THROWS_AS(norm(list({1}), kNan), ArgumentError);
  // Ties of the largest magnitude share evenly, with their signs.
  CHECK(equal(gradient([](const Tensor& t) { return norm(t, kInf); }, list({-4, 1, 4, 2})),
              list({-0.5, 0, 0.5, 0})));
  CHECK(equal(gradient([](const Tensor& t) { return norm(t, -kInf); }, list({-4, 1, 4, -1})),
              list({0, 0.5, 0, -0.5})));
  // An element that is 0 has a finite gradient.
  CHECK(equal(gradient([](const Tensor& t) { return norm(t, 0.5); }, list({0, 4})), list({0, 1})));
}

TEST_CASE("autograd/reductions: the second derivative of a norm at the zero vector is 0, not NaN") {
  Tape tape;
  const Tensor x = tape.watch(zeros({3}, float64));
  const Tensor g = tape.gradient(norm(x), {.differentiable = true})[x];
  CHECK(equal(tape.gradient(g, ones({3}, float64)).get_or_zeros(x), zeros({3}, float64)));
}

TEST_CASE("autograd/reductions: logsumexp keeps what is small beside the largest") {
  CHECK(logsumexp(list({0, -20})).item() ==
        doctest::Approx(std::log1p(std::exp(-20.0))).epsilon(1e-15).scale(0));
  CHECK(logsumexp(tensor({0.0, -20.0})).item() ==
        doctest::Approx(std::log1p(std::exp(-20.0))).epsilon(0x1p-23).scale(0));
  const Tensor rows = cat({zeros({1, 3}, float64), full({70, 3}, -40, float64)}, 0);
  const double rest = std::log1p(70 * std::exp(-40.0));
  CHECK(allclose(logsumexp(rows, Dims{0}), full({3}, rest, float64), 1e-15, 0));
  CHECK(allclose(logsumexp(transpose(rows, 0, 1), Dims{1}), full({3}, rest, float64), 1e-15, 0));
  CHECK(logsumexp(zeros({5}, float64)).item() == doctest::Approx(std::log(5.0)).epsilon(1e-15));
}
