// The parts below the report, on functions of one number.

#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "autograd/verify/ladder.h"
#include "autograd/verify/noise.h"
#include "autograd/verify/verdict.h"

using namespace tapegrad;
using namespace tapegrad::verify;

namespace {

class NumberLine final : public Line {
 public:
  NumberLine(std::function<double(double)> f, double x) : Line(1), f_(std::move(f)), x_(x) {}

 private:
  Point evaluate(double t) override {
    const double moved = x_ + t, y0 = f_(x_), y = f_(moved);
    if (y != y0) mass_[0] = std::max({mass_[0], std::fabs(y), std::fabs(y0)});
    return {moved - x_, {y - y0, 0}, {y != y0 ? std::max(std::fabs(y), std::fabs(y0)) : 0, 0}};
  }
  std::function<double(double)> f_;
  double x_;
};

Estimate difference(const std::function<double(double)>& f, double x) {
  NumberLine line(f, x);
  Estimate estimate;
  const double none = 0;
  central(line, std::fabs(x), 6, nullptr, &none, &estimate);
  return estimate;
}

}  // namespace

TEST_CASE("autograd/verify/judge: extrapolation is exact for polynomials, and counts the noise") {
  // D(h) = 1 + h² + h⁴: three levels remove both terms.
  double quotients[3];
  for (int k = 0; k < 3; ++k) {
    const double h = std::ldexp(1.0, -k);
    quotients[k] = 1 + h * h + h * h * h * h;
  }
  const Rung rung = extrapolate(quotients, 1, 2, 0);
  CHECK(rung.finite);
  CHECK(std::fabs(rung.value - 1) <= 4 * kUnit);
  // The weights on (h, h/2, h/4) are (1, −20, 64)/45: Σ|w|/h = (1 + 40 + 256)/45 = 6.6.
  double same[3] = {1, 1, 1};
  const Rung noise = extrapolate(same, 1, 2, 1.0);
  CHECK(noise.roundoff <= 6.6 + 1e-12);
  same[1] = NAN;
  CHECK_FALSE(extrapolate(same, 1, 2, 0).finite);
}

TEST_CASE("autograd/verify/judge: the bar holds the error") {
  struct Case {
    double (*f)(double);
    double (*df)(double);
  };
  const Case cases[] = {{std::sin, std::cos},
                        {std::exp, std::exp},
                        {[](double x) { return 1 / x; }, [](double x) { return -1 / (x * x); }},
                        {std::log, [](double x) { return 1 / x; }},
                        {std::tanh, [](double x) { return 1 / (std::cosh(x) * std::cosh(x)); }}};
  int sharp = 0, count = 0;
  for (const Case& c : cases) {
    for (double x : {0.01, 0.3, 1.0, 2.7, 9.5}) {
      const Estimate e = difference(c.f, x);
      INFO(x);
      CHECK(e.finite);
      CHECK(std::fabs(e.value - c.df(x)) <= e.bar + 4 * kUnit * std::fabs(c.df(x)));
      sharp += e.bar <= 1e-9 * std::fabs(c.df(x));
      ++count;
    }
  }
  CHECK(sharp >= count - 4);
}

TEST_CASE("autograd/verify/judge: noise is measured where there is some") {
  // sin carries rounding errors of about half a unit of its value.
  double sigma;
  NumberLine smooth([](double x) { return std::sin(x); }, 0.7);
  measure_noise(smooth, 0.7, &sigma);
  CHECK((sigma < 0 || sigma <= 4 * kUnit));
  Rng rng(3);
  NumberLine noisy([&](double x) { return std::sin(x) + 1e-9 * rng.normal(); }, 0.7);
  measure_noise(noisy, 0.7, &sigma);
  // A difference of two values: √2 or less.
  CHECK(sigma >= 0.3e-9);
  CHECK(sigma <= 4e-9);
}

TEST_CASE("autograd/verify/judge: sides of a kink, a jump and a bend") {
  Sides sides;
  NumberLine kink([](double x) { return x > 0 ? 3 * x : -x; }, 0);
  look_at_sides(kink, 1, &sides);
  CHECK(sides.kink);
  CHECK_FALSE(sides.jump);
  CHECK(sides.low == doctest::Approx(-1));
  CHECK(sides.high == doctest::Approx(3));
  NumberLine jump([](double x) { return x > 0 ? 1.0 : 0.0; }, 0);
  look_at_sides(jump, 1, &sides);
  CHECK(sides.jump);
  CHECK_FALSE(sides.kink);
  for (double bend : {1.0, 1e3, 1e6}) {
    NumberLine smooth([&](double x) { return bend * x * x + x; }, 0);
    look_at_sides(smooth, 1, &sides);
    CHECK_FALSE(sides.kink);
    CHECK_FALSE(sides.jump);
  }
  NumberLine rough([](double x) { return std::pow(std::fabs(x), 1.2); }, 0);
  look_at_sides(rough, 1, &sides);
  CHECK_FALSE(sides.kink);
}

TEST_CASE(
    "autograd/verify/judge: the second opinion needs a disjoint interval that is sharp and holds the "
    "gradient") {
  // Evidence that says 5 ± 1e-9 about a slope of 1.
  auto judged = [](double gradient, double first, double bar) {
    NumberLine line([](double x) { return std::sin(x); }, 0);
    for (int k = 5; k < 8; ++k) line.at(std::ldexp(1.0, -k));
    Evidence e{gradient, {first, bar, 0.03, 0.01, line.mass(0), true}, 1, line.mass(0), line.mass(0), 1, 1,
               1};
    Court court(line, 1, 1e-6);
    return court.judge(0, e);
  };
  CHECK(judged(1, 5, 1e-9) == Verdict::agree);        // overturned
  CHECK(judged(1.01, 5, 1e-9) == Verdict::disagree);  // the second does not hold it either
  CHECK(judged(1 + 1e-8, 5, 1e-9) == Verdict::disagree);
  CHECK(judged(5.1, 5, 1e-9) == Verdict::disagree);
  CHECK(judged(1, 1 + 1e-5, 1e-4) == Verdict::noisy);  // not resolved by the first: no agreement to be had
}

TEST_CASE("autograd/verify/judge: what may round and what is not sharp refute by their own measure") {
  const auto judged = [](double gradient, double bar) {
    Evidence e{gradient, {1, bar, 0.03, 0.01, 1, true}, 1, 1, 1, 1, 1, 1};
    return compare(e, 1e-6);
  };
  // Rule: rounding of the sweep
  CHECK(judged(1 + 200 * kUnit, 0) == Verdict::agree);
  CHECK(judged(1 - 200 * kUnit, 0) == Verdict::agree);
  CHECK(judged(1 + 400 * kUnit, 0) == Verdict::disagree);
  CHECK(judged(1 - 400 * kUnit, 0) == Verdict::disagree);
  // Rule: not sharp
  CHECK(judged(1 + 3e-9, 1e-9) == Verdict::disagree);
  CHECK(judged(1.05, 0.1) == Verdict::noisy);
  CHECK(judged(1.5, 0.1) == Verdict::noisy);
  CHECK(judged(2.5, 0.1) == Verdict::disagree);
  CHECK(judged(-1, 0.1) == Verdict::disagree);
}
