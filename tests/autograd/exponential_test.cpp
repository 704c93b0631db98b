// Exponentials, logarithms and gelu where a plain formula would lose digits or give NaN: beyond what the
// loops over all ops see.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

#include "tests/support/op_function.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

struct Derivatives {
  double value, first, second;
};
// Of f at x.
template <class F>
Derivatives derivatives(const F& f, double x) {
  Tape tape;
  const Tensor t = tape.watch(full({}, x, float64));
  const Tensor y = f(t);
  const Tensor dy = tape.gradient(y, {.differentiable = true})[t];
  const double second = recorded(tape, dy) ? tape.gradient(dy).get_or_zeros(t).item() : 0;
  return {y.item(), dy.item(), second};
}

// ∂f/∂a, ∂f/∂b, ∂²f/∂a∂b.
struct Mixed {
  double a, b, ab;
};
template <class F>
Mixed mixed(const F& f, double x, double y) {
  Tape tape;
  const Tensor a = tape.watch(full({}, x, float64)), b = tape.watch(full({}, y, float64));
  const Gradients g = tape.gradient(f(a, b), {.differentiable = true});
  return {g[a].item(), g[b].item(), tape.gradient(g[b]).get_or_zeros(a).item()};
}

}  // namespace

TEST_CASE("autograd/exponential: equal operands of logaddexp share evenly at any size") {
  const auto f = [](const Tensor& a, const Tensor& b) { return logaddexp(a, b); };
  for (double x : {1e50, -1e50, 0.0, 700.0, 1e300}) {
    const Mixed m = mixed(f, x, x);
    INFO(x);
    CHECK(m.a == 0.5);
    CHECK(m.b == 0.5);
    CHECK(m.ab == -0.25);  // the tie does not cut the second derivative
  }
  for (double x : {kInf, -kInf}) {
    const Mixed m = mixed(f, x, x);
    CHECK(m.ab == 0);
  }
}

TEST_CASE("autograd/exponential: xlogy at 0 keeps its mixed derivative") {
  const auto f = [](const Tensor& x, const Tensor& y) { return xlogy(x, y); };
  const Mixed m = mixed(f, 0, 4);
  CHECK(m.a == std::log(4.0));
  CHECK(m.b == 0);
  CHECK(m.ab == 0.25);
  CHECK(mixed(f, 0, 0).b == 0);
  CHECK(mixed(f, 0, -1).b == 0);
  CHECK(std::isnan(mixed(f, 1, -1).b));
  CHECK(mixed(f, 1, -0.0).b == kInf);
}

TEST_CASE("autograd/exponential: gradients keep their digits") {
  // Not y + 1, which is 0 here.
  CHECK(derivatives([](const Tensor& x) { return expm1(x); }, -50).first == std::exp(-50.0));
  // Not 1/√(x² + 1), whose square overflows.
  CHECK(derivatives([](const Tensor& x) { return asinh(x); }, 1e200).first == 1e-200);
  const double acosh_slope = derivatives([](const Tensor& x) { return acosh(x); }, 1e200).first;
  CHECK(std::fabs(acosh_slope / 1e-200 - 1) <= 4 * 0x1p-52);
  const double erfc_slope = derivatives([](const Tensor& x) { return erfc(x); }, 20).first;
  CHECK(std::fabs(erfc_slope / (-2 / std::sqrt(std::acos(-1.0)) * std::exp(-400.0)) - 1) <= 8 * 0x1p-52);
}

TEST_CASE("autograd/exponential: both forms of gelu have limits") {
  for (Approximate form : {Approximate::none, Approximate::tanh}) {
    const auto f = [form](const Tensor& x) { return gelu(x, form); };
    for (double x : {-kInf, -1e300, -1e10, -50.0}) {
      const Derivatives d = derivatives(f, x);
      CHECK(d.value == 0);
      CHECK(std::signbit(d.value));
      CHECK(d.first == 0);
      CHECK(d.second == 0);
    }
    for (double x : {kInf, 1e300, 1e10, 50.0}) {
      const Derivatives d = derivatives(f, x);
      CHECK(d.value == x);
      CHECK(d.first == 1);
      CHECK(d.second == 0);
    }
    CHECK(std::isnan(derivatives(f, std::nan("")).second));
  }
}

TEST_CASE("autograd/exponential: the forms of gelu are told apart") {
  const Tensor x = full({}, -2.0, float64);
  const double exact = gelu(x).item(), tanh_form = gelu(x, Approximate::tanh).item();
  CHECK(exact == gelu(x, Approximate::none).item());
  // −2·Φ(−2), and by the definition with tanh.
  CHECK(std::fabs(exact / -0.045500263896358417 - 1) <= 8 * 0x1p-52);
  const double u = std::sqrt(2 / std::acos(-1.0)) * (-2 - 0.044715 * 8);
  CHECK(std::fabs(tanh_form - -(1 + std::tanh(u))) <= 8 * 0x1p-52);
  CHECK(exact != tanh_form);
  Tape tape;
  const Tensor y = gelu(tape.watch(x), Approximate::tanh);
  CHECK(to_string(tape).find("approximate=tanh") != std::string::npos);
}
