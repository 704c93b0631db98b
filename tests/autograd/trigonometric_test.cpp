// Sines, tangents, their inverses and lengths: derivatives where squares leave the range, at (0, 0), and of
// higher order.

#include <doctest/doctest.h>

#include <cmath>

#include "tests/support/op_function.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

// Both gradients of f at (a, b).
template <class F>
std::pair<double, double> gradients_at(F f, double a, double b, DType dtype) {
  Tape tape;
  const Tensor x = tape.watch(full({}, a, dtype)), y = tape.watch(full({}, b, dtype));
  const Gradients g = tape.gradient(f(x, y));
  return {g[x].item(), g[y].item()};
}
Tensor angle(const Tensor& a, const Tensor& b) { return atan2(a, b); }
Tensor length(const Tensor& a, const Tensor& b) { return hypot(a, b); }

}  // namespace

TEST_CASE("autograd/trigonometric: gradients of atan2 and hypot do not overflow or vanish on the way") {
  for (double size : {1e-30, 1e-20, 1.0, 1e20, 1e30}) {  // in float32, squares of the others leave the range
    INFO("size " << size);
    const auto [ay, ax] = gradients_at(angle, 3 * size, -4 * size, float32);
    CHECK(std::fabs(ay * size + 4.0 / 25) <= 1e-6);
    CHECK(std::fabs(ax * size + 3.0 / 25) <= 1e-6);
    const auto [ha, hb] = gradients_at(length, 3 * size, -4 * size, float32);
    CHECK(std::fabs(ha - 0.6) <= 1e-6);
    CHECK(std::fabs(hb + 0.8) <= 1e-6);
  }
  for (double size : {1e-250, 1e250}) {
    INFO("size " << size);
    const auto [ay, ax] = gradients_at(angle, 3 * size, -4 * size, float64);
    CHECK(std::fabs(ay * size + 4.0 / 25) <= 1e-15);
    CHECK(std::fabs(ax * size + 3.0 / 25) <= 1e-15);
    const auto [ha, hb] = gradients_at(length, 3 * size, -4 * size, float64);
    CHECK(std::fabs(ha - 0.6) <= 1e-15);
    CHECK(std::fabs(hb + 0.8) <= 1e-15);
  }
}

TEST_CASE("autograd/trigonometric: second derivatives of atan2 and hypot at (0, 0) are 0 too") {
  for (auto f : {angle, length}) {
    Tape tape;
    const Tensor a = tape.watch(zeros({}, float64)), b = tape.watch(zeros({}, float64));
    const Gradients g = tape.gradient(f(a, b), {.differentiable = true});
    const Gradients h = tape.gradient(g[a] * 2.0 + g[b] * 3.0);
    CHECK(h[a].item() == 0);
    CHECK(h[b].item() == 0);
  }
}

TEST_CASE("autograd/trigonometric: the angle of an infinite vector has gradient 0") {
  const double inf = HUGE_VAL;
  for (auto [a, b] : {std::pair{inf, 1.0}, {1.0, -inf}, {-inf, inf}}) {
    const auto [ay, ax] = gradients_at(angle, a, b, float64);
    CHECK(ay == 0);
    CHECK(ax == 0);
  }
}

TEST_CASE("autograd/trigonometric: gradients far from 0") {
  for (double at : {1e3, 1e9, 1e100, -1e300}) {
    INFO("at " << at);
    Tape tape;
    const Tensor x = tape.watch(full({}, at, float64));
    CHECK(std::fabs(tape.gradient(sin(x))[x].item() - std::cos(at)) <= 0x1p-52);
    CHECK(std::fabs(tape.gradient(cos(x))[x].item() + std::sin(at)) <= 0x1p-52);
    const double slope = 1 + std::tan(at) * std::tan(at);
    // tan to 2 ULP, squared; a product, a sum.
    CHECK(std::fabs(tape.gradient(tan(x))[x].item() - slope) <= 10 * 0x1p-53 * slope);
  }
}

TEST_CASE("autograd/trigonometric: the slope of atan where x² is infinite and 1/x² is not 0") {
  Tape tape;
  const Tensor x = tape.watch(tensor({1e20, -1e20, 1e38}));
  const Tensor g = tape.gradient(atan(x), full({3}, 1.0))[x];
  CHECK(std::fabs(g[0].item() - 1e-40) <= 1e-44);
  CHECK(g[1].item() == g[0].item());
  CHECK(g[2].item() == 0);
}

TEST_CASE("autograd/trigonometric: derivatives up to fourth order return to the function") {
  Tape tape;
  const Tensor x = tape.watch(tensor({-2.0, 0.3, 1.0, 40.0}, float64));
  for (auto f : {+[](const Tensor& v) { return sin(v); }, +[](const Tensor& v) { return cos(v); }}) {
    const Tensor y = f(x);
    Tensor d = y;
    for (int order = 1; order <= 4; ++order) {
      d = tape.gradient(d, ones({4}, float64), {.differentiable = true})[x];
    }
    CHECK(allclose(d, y, 1e-15, 1e-15));
  }
}

TEST_CASE("autograd/trigonometric: a product with sin keeps its mixed derivative where the cotangent is 0") {
  Tape tape;
  const Tensor x = tape.watch(full({}, 0.7, float64)), z = tape.watch(zeros({}, float64));
  const Tensor dx = tape.gradient(z * sin(x), {.differentiable = true})[x];
  CHECK(tape.gradient(dx)[z].item() == doctest::Approx(std::cos(0.7)).epsilon(1e-15));
}
