// Derivatives of derivatives by differentiable sweeps on one tape.

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/autograd.h"

using namespace tapegrad;

namespace {

Tensor d(double value) { return full({}, value, float64); }

// f(x), f'(x), …, up to the order asked for, each from a sweep over the one before.
template <class F>
std::vector<double> derivatives(const F& f, double at, int order) {
  Tape tape;
  const Tensor x = tape.watch(d(at));
  std::vector<double> values;
  Tensor y = f(x);
  values.push_back(y.item<double>());
  for (int k = 0; k < order; ++k) {
    y = tape.gradient(y, {.differentiable = true}).get_or_zeros(x);
    values.push_back(y.item<double>());
    if (y.handle()->tape != tape.serial()) break;  // a constant: the rest is 0
  }
  values.resize(static_cast<size_t>(order) + 1);
  return values;
}

void check_close(const std::vector<double>& got, const std::vector<double>& expected) {
  REQUIRE(got.size() == expected.size());
  for (size_t k = 0; k < got.size(); ++k) {
    INFO("derivative " << k);
    CHECK(got[k] == doctest::Approx(expected[k]).epsilon(1e-12));
  }
}

}  // namespace

TEST_CASE("autograd/higher_order: x^4 by multiplication, by square and by pow") {
  const std::vector<double> expected = {5.0625, 13.5, 27, 36, 24, 0};
  check_close(derivatives([](const Tensor& x) { return x * x * x * x; }, 1.5, 5), expected);
  check_close(derivatives([](const Tensor& x) { return square(square(x)); }, 1.5, 5), expected);
  check_close(derivatives([](const Tensor& x) { return pow(x, 4.0); }, 1.5, 4), {5.0625, 13.5, 27, 36, 24});
}

TEST_CASE("autograd/higher_order: the third derivative of tanh") {
  for (double at : {-2.0, -0.3, 0.0, 0.7, 3.0}) {
    const double t = std::tanh(at);
    const double s = 1 - t * t;
    check_close(derivatives([](const Tensor& x) { return tanh(x); }, at, 3),
                {t, s, -2 * t * s, s * (6 * t * t - 2)});
  }
}

TEST_CASE("autograd/higher_order: elementary functions") {
  const double e = std::exp(0.4);
  check_close(derivatives([](const Tensor& x) { return exp(x); }, 0.4, 4), {e, e, e, e, e});
  check_close(derivatives([](const Tensor& x) { return log(x); }, 0.5, 4), {std::log(0.5), 2, -4, 16, -96});
  check_close(derivatives([](const Tensor& x) { return sqrt(x); }, 4, 3), {2, 0.25, -1.0 / 32, 3.0 / 256});
  check_close(derivatives([](const Tensor& x) { return 1.0 / x; }, 2, 3), {0.5, -0.25, 0.25, -0.375});
  const double p = 1 / (1 + std::exp(-0.3));
  const double q = p * (1 - p);
  check_close(derivatives([](const Tensor& x) { return sigmoid(x); }, 0.3, 3),
              {p, q, q * (1 - 2 * p), q * (1 - 6 * q)});
}

TEST_CASE("autograd/higher_order: a differentiable sweep gives the bits of a plain one") {
  const Parameter w(Rng(3).normal({4, 3}, float64));
  const Tensor x = Rng(4).normal({5, 4}, float64);
  Tape tape;
  const Tensor loss = mean(square(log_softmax(tanh(matmul(x, w)), -1)));
  const Tensor plain = tape.gradient(loss)[w];
  const size_t records = tape.size();
  const Tensor recorded = tape.gradient(loss, {.differentiable = true})[w];
  CHECK(tape.size() > records);
  CHECK(equal(plain, recorded));
}

TEST_CASE("autograd/higher_order: a Hessian times a vector is symmetric") {
  const Parameter w(Rng(3).normal({6}, float64));
  const Tensor v1 = Rng(5).normal({6}, float64);
  const Tensor v2 = Rng(6).normal({6}, float64);
  Tape tape;
  const Tensor y = sum(tanh(w * w) * exp(0.3 * w)) * logsumexp(w);
  const Tensor g = tape.gradient(y, {.differentiable = true})[w];
  const double a = sum(tape.gradient(g, v1)[w] * v2.detach()).item();
  const double b = sum(tape.gradient(g, v2)[w] * v1.detach()).item();
  CHECK(a == doctest::Approx(b).epsilon(1e-13));
  CHECK(a != 0);
}

TEST_CASE("autograd/higher_order: mixed derivatives survive a cotangent of exactly 0") {
  // ∂²(z·f(x))/∂x∂z at z = 0 is f'(x): the cotangent of f is 0 there.
  struct Case {
    const char* name;
    Tensor (*f)(const Arg& x);
    double at, slope;
  };
  const Case cases[] = {
      {"sqrt", [](const Arg& x) { return sqrt(x); }, 4, 0.25},
      {"log", [](const Arg& x) { return log(x); }, 2, 0.5},
      {"pow", [](const Arg& x) { return pow(x, 3.0); }, 2, 12},
      {"exp", [](const Arg& x) { return exp(x); }, 0, 1},
      {"tanh", [](const Arg& x) { return tanh(x); }, 0, 1},
      {"sigmoid", [](const Arg& x) { return sigmoid(x); }, 0, 0.25},
      {"square", [](const Arg& x) { return square(x); }, 3, 6},
      {"abs", [](const Arg& x) { return abs(x); }, -3, -1},
      {"relu", [](const Arg& x) { return relu(x); }, 3, 1},
      {"maximum", [](const Arg& x) { return maximum(x, 1.0); }, 3, 1},
      {"div", [](const Arg& x) { return div(1.0, x); }, 2, -0.25},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    Tape tape;
    const Tensor x = tape.watch(d(c.at));
    const Tensor z = tape.watch(d(0));
    const Tensor y = z * c.f(x);
    const Gradients g = tape.gradient(y, {.differentiable = true});
    CHECK(g[x].item<double>() == 0);
    CHECK(tape.gradient(g[x])[z].item<double>() == doctest::Approx(c.slope).epsilon(1e-14));
    // And the other way round.
    CHECK(tape.gradient(g[z])[x].item<double>() == doctest::Approx(c.slope).epsilon(1e-14));
  }
}

TEST_CASE("autograd/higher_order: a gradient penalty reaches the parameters") {
  const Parameter w(Rng(3).normal({3, 2}, float64));
  const Tensor x0 = Rng(4).normal({5, 3}, float64);
  const Report report = gradcheck(
      [&] {
        const Tensor h = tanh(matmul(x0, w));
        return sum(square(matmul(1.0 - square(h), w, false, true)));
      },
      ParameterList{w.ref()});
  CHECK_MESSAGE(report.ok(), std::string(report.text()));
  Tape tape;
  const Tensor x = tape.watch(x0);
  const Tensor y = sum(tanh(matmul(x, w)));
  const Tensor dx = tape.gradient(y, {.differentiable = true})[x];
  const Tensor by_sweeps = tape.gradient(sum(square(dx)))[w];
  const Tensor h = tanh(matmul(x0, w));
  const Tensor written = tape.gradient(sum(square(matmul(1.0 - square(h), w, false, true))))[w];
  CHECK(allclose(by_sweeps, written, 1e-12));
}
