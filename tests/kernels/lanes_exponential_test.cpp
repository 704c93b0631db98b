// Exponentials, logarithms, hyperbolic and error functions on lanes: special values, and error bounds against
// wider arithmetic.

#include <doctest/doctest.h>

#include <string>

#include "tests/kernels/lane_values.h"

using namespace tapegrad::kernels;
using namespace tapegrad::kernels::testing;

namespace {

// The worst error in ULP over x, of a lane of x, or of g = 1 and x, on all targets. Where infinite, the
// reference has no limit of its own and x is left out.
template <class T, class Reference>
double worst_finite_error(Lane lane, const std::vector<T>& x, Reference reference) {
  double worst = 0;
  for (const LaneTable* table : lane_tables()) {
    const bool slope = table->operands[static_cast<size_t>(lane)] == 2;
    const auto y = slope ? run<T>(*table, lane, {std::vector<T>(x.size(), 1), x}) : run<T>(*table, lane, {x});
    for (size_t i = 0; i < x.size(); ++i) {
      if (std::isinf(x[i])) continue;
      const auto want = reference(static_cast<Wide<T>>(x[i]));
      if (want == 0 && y[i] == 0) continue;  // of either sign, where the reference underflows
      worst = std::max(worst, ulps<T>(y[i], want));
    }
  }
  return worst;
}

// The worst absolute error, in units of the last place of 1.
template <class T, class Reference>
double worst_absolute_error(Lane lane, const std::vector<T>& x, Reference reference) {
  double worst = 0;
  for (const LaneTable* table : lane_tables()) {
    const auto y = run<T>(*table, lane, {std::vector<T>(x.size(), 1), x});
    for (size_t i = 0; i < x.size(); ++i) {
      const Wide<T> error = std::fabs(y[i] - reference(static_cast<Wide<T>>(x[i])));
      const auto units = static_cast<double>(error / std::numeric_limits<T>::epsilon());
      worst = units <= worst ? worst : units;
    }
  }
  return worst;
}

template <class W>
constexpr W kPi = static_cast<W>(3.14159265358979323846264338327950288L);

template <class W>
W gelu(W x) {
  return x * std::erfc(-x * std::sqrt(W(0.5))) / 2;
}
template <class W>
W gelu_slope(W x) {
  const W a = std::fabs(x);
  const W left = std::erfc(a * std::sqrt(W(0.5))) / 2 - a * std::exp(-a * a / 2) / std::sqrt(2 * kPi<W>);
  return x < 0 ? left : 1 - left;
}
template <class W>
W tanh_exponent(W x) {
  return 2 * std::sqrt(2 / kPi<W>) * (x + W(0.044715L) * x * x * x);
}
template <class W>
W gelu_tanh(W x) {
  const W e = std::exp(-std::fabs(tanh_exponent(x)));
  return x * (x < 0 ? e : 1) / (1 + e);
}
template <class W>
W gelu_tanh_slope(W x) {
  const W a = std::fabs(x);
  const W e = std::exp(-tanh_exponent(a));
  const W slope = 2 * std::sqrt(2 / kPi<W>) * (1 + 3 * W(0.044715L) * a * a);
  const W left = e / (1 + e) * (1 - a * slope / (1 + e));
  return x < 0 ? left : 1 - left;
}

// What must be exact or the same for both types.
template <class T>
void check_ends() {
  using L = Lane;
  const T inf = kInf<T>, nan = kNaN<T>, tiny = kTiniest<T>, most = std::numeric_limits<T>::max();
  for (const Lane lane : {L::exp2, L::log2, L::log10, L::sinh, L::cosh, L::asinh, L::acosh, L::atanh, L::erf,
                          L::erfc, L::gelu, L::gelu_tanh})
    check<T>({{lane, {nan}, nan}});
  for (const Lane lane : {L::erf_backward, L::erfc_backward, L::gelu_backward, L::gelu_tanh_backward})
    check<T>({{lane, {1, nan}, nan}, {lane, {nan, 1}, nan}});
  for (const Lane odd : {L::sinh, L::asinh, L::atanh})
    check<T>({{odd, {0}, 0}, {odd, {T(-0.0)}, T(-0.0)}, {odd, {tiny}, tiny}, {odd, {-tiny}, -tiny}});
  check<T>({{L::exp2, {T(-0.0)}, 1},
            {L::exp2, {inf}, inf},
            {L::exp2, {-inf}, 0},
            {L::exp2, {tiny}, 1},
            {L::exp2, {most}, inf},
            {L::exp2, {-most}, 0},
            {L::log2, {0}, -inf},
            {L::log2, {T(-0.0)}, -inf},
            {L::log2, {inf}, inf},
            {L::log2, {-1}, nan},
            {L::log2, {-inf}, nan},
            {L::log10, {0}, -inf},
            {L::log10, {T(-0.0)}, -inf},
            {L::log10, {inf}, inf},
            {L::log10, {-tiny}, nan}});
  check<T>({{L::xlogy, {0, 0}, 0},
            {L::xlogy, {0, inf}, 0},
            {L::xlogy, {T(-0.0), -1}, 0},
            {L::xlogy, {0, nan}, nan},
            {L::xlogy, {nan, 1}, nan},
            {L::xlogy, {2, 0}, -inf},
            {L::xlogy, {2, -1}, nan},
            {L::xlogy, {-2, inf}, -inf},
            {L::xlogy, {inf, 1}, nan},
            {L::xlogy, {3, 1}, 0}});
  check<T>({{L::logaddexp, {inf, inf}, inf},
            {L::logaddexp, {-inf, -inf}, -inf},
            {L::logaddexp, {inf, -inf}, inf},
            {L::logaddexp, {-inf, inf}, inf},
            {L::logaddexp, {-inf, 3}, 3},
            {L::logaddexp, {inf, 3}, inf},
            {L::logaddexp, {nan, 1}, nan},
            {L::logaddexp, {1, nan}, nan},
            {L::logaddexp, {inf, nan}, nan},
            {L::logaddexp, {nan, -inf}, nan},
            {L::logaddexp, {most, most}, most},
            {L::logaddexp, {-most, most}, most}});
  check<T>({{L::sinh, {inf}, inf},     {L::sinh, {-inf}, -inf}, {L::sinh, {most}, inf},
            {L::cosh, {0}, 1},         {L::cosh, {T(-0.0)}, 1}, {L::cosh, {inf}, inf},
            {L::cosh, {-inf}, inf},    {L::cosh, {tiny}, 1},    {L::asinh, {inf}, inf},
            {L::asinh, {-inf}, -inf},  {L::acosh, {1}, 0},      {L::acosh, {inf}, inf},
            {L::acosh, {T(0.5)}, nan}, {L::acosh, {-1}, nan},   {L::acosh, {T(-1e9)}, nan},
            {L::acosh, {-inf}, nan},   {L::atanh, {1}, inf},    {L::atanh, {-1}, -inf},
            {L::atanh, {2}, nan},      {L::atanh, {-inf}, nan}, {L::atanh, {most}, nan}});
  check<T>({{L::erf, {0}, 0},
            {L::erf, {T(-0.0)}, T(-0.0)},
            {L::erf, {inf}, 1},
            {L::erf, {-inf}, -1},
            {L::erf, {most}, 1},
            {L::erf, {7}, 1},
            {L::erfc, {0}, 1},
            {L::erfc, {T(-0.0)}, 1},
            {L::erfc, {inf}, 0},
            {L::erfc, {-inf}, 2},
            {L::erfc, {-7}, 2},
            {L::erfc, {most}, 0}});
  for (const Lane lane : {L::gelu, L::gelu_tanh})
    check<T>({{lane, {0}, 0},
              {lane, {T(-0.0)}, T(-0.0)},
              {lane, {inf}, inf},
              {lane, {-inf}, T(-0.0)},
              {lane, {most}, most},
              {lane, {-most}, T(-0.0)},
              {lane, {40}, 40},
              {lane, {-40}, T(-0.0)}});
  for (const Lane lane : {L::gelu_backward, L::gelu_tanh_backward})
    check<T>({{lane, {2, 0}, 1}, {lane, {3, inf}, 3}, {lane, {3, most}, 3}, {lane, {0, inf}, 0}});
  for (const LaneTable* table : lane_tables()) {
    for (const Lane lane : {L::gelu_backward, L::gelu_tanh_backward})
      CHECK(run<T>(*table, lane, {{3, 3}, {-inf, -most}}) == std::vector<T>{0, 0});
    for (const Lane lane : {L::erf_backward, L::erfc_backward})
      CHECK(run<T>(*table, lane, {{3, 3, 0}, {-inf, most, inf}}) == std::vector<T>{0, 0, 0});
  }
}

}  // namespace

TEST_CASE_TEMPLATE("kernels/lanes_exponential: values at the ends of the range", T, float, double) {
  check_ends<T>();
}

TEST_CASE_TEMPLATE("kernels/lanes_exponential: powers of two are exact, both ways", T, float, double) {
  using Limits = std::numeric_limits<T>;
  std::vector<T> exponents, powers;
  for (int n = Limits::min_exponent - Limits::digits; n < Limits::max_exponent; ++n) {
    exponents.push_back(static_cast<T>(n));
    powers.push_back(std::ldexp(T{1}, n));
  }
  for (const LaneTable* table : lane_tables()) {
    CAPTURE(table->target);
    CHECK(same_bits(run<T>(*table, Lane::exp2, {exponents}), powers));
    CHECK(same_bits(run<T>(*table, Lane::log2, {powers}), exponents));
  }
}

TEST_CASE("kernels/lanes_exponential: float32 functions are good to 0.9 ULP") {
  using W = double;
  using T = float;
  // exp2 runs in float; the others in double, whose last rounding is nearly all of their error.
  CHECK(worst_finite_error<T>(Lane::exp2, inputs<T>(-151, 129), [](W x) { return std::exp2(x); }) <= 1.1);
  CHECK(worst_finite_error<T>(Lane::log2, inputs<T>(0, 4), [](W x) { return std::log2(x); }) <= 0.51);
  CHECK(worst_finite_error<T>(Lane::log10, inputs<T>(0, 4), [](W x) { return std::log10(x); }) <= 0.51);
  CHECK(worst_finite_error<T>(Lane::sinh, inputs<T>(-90, 90), [](W x) { return std::sinh(x); }) <= 0.51);
  CHECK(worst_finite_error<T>(Lane::cosh, inputs<T>(-90, 90), [](W x) { return std::cosh(x); }) <= 0.51);
  CHECK(worst_finite_error<T>(Lane::asinh, inputs<T>(-5, 5), [](W x) { return std::asinh(x); }) <= 0.51);
  CHECK(worst_finite_error<T>(Lane::acosh, inputs<T>(1, 5), [](W x) { return std::acosh(x); }) <= 0.51);
  CHECK(worst_finite_error<T>(Lane::atanh, inputs<T>(-1, 1), [](W x) { return std::atanh(x); }) <= 0.51);
  CHECK(worst_finite_error<T>(Lane::erf, inputs<T>(-4, 4), [](W x) { return std::erf(x); }) <= 0.7);
  CHECK(worst_finite_error<T>(Lane::erfc, inputs<T>(-4, 10.2), [](W x) { return std::erfc(x); }) <= 0.55);
  CHECK(worst_finite_error<T>(Lane::gelu, inputs<T>(-15, 4), gelu<W>) <= 0.55);
  CHECK(worst_finite_error<T>(Lane::gelu_tanh, inputs<T>(-11, 4), gelu_tanh<W>) <= 0.55);
}

TEST_CASE("kernels/lanes_exponential: float64 functions are good to 4 ULP") {
  using W = long double;
  using T = double;
  CHECK(worst_finite_error<T>(Lane::exp2, inputs<T>(-1076, 1025), [](W x) { return std::exp2(x); }) <= 1.5);
  CHECK(worst_finite_error<T>(Lane::log2, inputs<T>(0, 4), [](W x) { return std::log2(x); }) <= 2);
  CHECK(worst_finite_error<T>(Lane::log10, inputs<T>(0, 4), [](W x) { return std::log10(x); }) <= 2);
  CHECK(worst_finite_error<T>(Lane::sinh, inputs<T>(-711, 711), [](W x) { return std::sinh(x); }) <= 2);
  CHECK(worst_finite_error<T>(Lane::cosh, inputs<T>(-711, 711), [](W x) { return std::cosh(x); }) <= 2);
  CHECK(worst_finite_error<T>(Lane::asinh, inputs<T>(-5, 5), [](W x) { return std::asinh(x); }) <= 2);
  CHECK(worst_finite_error<T>(Lane::acosh, inputs<T>(1, 5), [](W x) { return std::acosh(x); }) <= 2.5);
  CHECK(worst_finite_error<T>(Lane::atanh, inputs<T>(-1, 1), [](W x) { return std::atanh(x); }) <= 2.5);
  CHECK(worst_finite_error<T>(Lane::erf, inputs<T>(-6, 6), [](W x) { return std::erf(x); }) <= 2.5);
  CHECK(worst_finite_error<T>(Lane::erfc, inputs<T>(-6, 27), [](W x) { return std::erfc(x); }) <= 4);
  CHECK(worst_finite_error<T>(Lane::gelu, inputs<T>(-39, 9), gelu<W>) <= 4);
  CHECK(worst_finite_error<T>(Lane::gelu_tanh, inputs<T>(-22, 9), gelu_tanh<W>) <= 4);
}

TEST_CASE_TEMPLATE("kernels/lanes_exponential: slopes", T, float, double) {
  using W = Wide<T>;
  const double far = sizeof(T) == 4 ? 10.2 : 27;
  const auto slope = [](W x) { return 2 / std::sqrt(kPi<W>) * std::exp(-x * x); };
  CHECK(worst_finite_error<T>(Lane::erf_backward, inputs<T>(-far, far), slope) <= 2);
  CHECK(worst_finite_error<T>(Lane::erfc_backward, inputs<T>(-far, far), [&](W x) { return -slope(x); }) <=
        2);
  // The two terms of gelu' cancel near −0.75; below −2 they keep their digits, in the tanh form those of an
  // exponential and two quotients, magnified up to 1.3 times by the difference.
  const auto finite = [](std::vector<T> x, double below) {
    std::erase_if(x, [&](T e) { return !std::isfinite(e) || !(e < below); });
    return x;
  };
  CHECK(worst_absolute_error<T>(Lane::gelu_backward, finite(inputs<T>(-9, 9), kInf<double>), gelu_slope<W>) <=
        2);
  CHECK(worst_absolute_error<T>(Lane::gelu_tanh_backward, finite(inputs<T>(-9, 9), kInf<double>),
                                gelu_tanh_slope<W>) <= 2);
  CHECK(worst_finite_error<T>(Lane::gelu_backward, finite(inputs<T>(-39, 0), -2), gelu_slope<W>) <= 4);
  CHECK(worst_finite_error<T>(Lane::gelu_tanh_backward, finite(inputs<T>(-22, 0), -2), gelu_tanh_slope<W>) <=
        8);
}

TEST_CASE_TEMPLATE("kernels/lanes_exponential: functions of two operands", T, float, double) {
  using W = Wide<T>;
  std::vector<T> a = assorted<T>(30000, 1), b = assorted<T>(30000, 2);
  std::mt19937_64 bits(3);
  std::uniform_real_distribution<double> range(-2, 2);
  for (int i = 0; i < 30000; ++i) {
    a.push_back(static_cast<T>(range(bits)));
    b.push_back(static_cast<T>(range(bits)));
  }
  for (const LaneTable* table : lane_tables()) {
    const auto product = run<T>(*table, Lane::xlogy, {a, b});
    const auto sum = run<T>(*table, Lane::logaddexp, {a, b});
    double worst_product = 0, worst_sum = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      const W x = a[i], y = b[i];
      if (std::isinf(x) || std::isinf(y)) continue;
      const W wanted = x == 0 && !std::isnan(y) ? W(0) : x * std::log(y);
      if (!(wanted == 0 && product[i] == 0))
        worst_product = std::max(worst_product, ulps<T>(product[i], wanted));
      if (std::isnan(x) || std::isnan(y)) {
        CHECK(std::isnan(sum[i]));
        continue;
      }
      const W want = std::max(x, y) + std::log1p(std::exp(-std::fabs(x - y)));
      // In units of the largest of the three, since the operands may cancel the logarithm.
      const W scale = std::max({std::fabs(x), std::fabs(y), std::fabs(want)});
      const W unit = std::ldexp(W(std::numeric_limits<T>::epsilon()), std::ilogb(scale));
      const auto units = std::isinf(sum[i]) ? 0 : static_cast<double>(std::fabs(sum[i] - want) / unit);
      worst_sum = units <= worst_sum ? worst_sum : units;
    }
    CAPTURE(table->target);
    CHECK(worst_product <= 2.5);
    CHECK(worst_sum <= (sizeof(T) == 4 ? 0.51 : 4));
  }
}

TEST_CASE_TEMPLATE("kernels/lanes_exponential: no premature overflow or underflow", T, float, double) {
  const bool single = sizeof(T) == 4;
  // asinh of the largest number; sinh and cosh just below it.
  const T top = std::asinh(std::numeric_limits<T>::max()), below = std::nextafter(top, T{0});
  const T tail = single ? T(10.05) : T(26.6);
  for (const LaneTable* table : lane_tables()) {
    CAPTURE(table->target);
    for (const Lane lane : {Lane::sinh, Lane::cosh}) {
      const std::vector<T> y = run<T>(*table, lane, {{below, top + 1}});
      CHECK(std::isfinite(y[0]));
      CHECK(std::isinf(y[1]));
    }
    const std::vector<T> y = run<T>(*table, Lane::erfc, {{tail, tail + 1}});
    CHECK(y[0] > 0);
    CHECK(y[0] < std::numeric_limits<T>::min());
    CHECK(y[1] == 0);
  }
}

TEST_CASE_TEMPLATE("kernels/lanes_exponential: tails are monotone", T, float, double) {
  const size_t n = 4000;
  const auto falls = [&](Lane lane, double from, double to, int sign) {
    std::vector<T> x(n);
    for (size_t i = 0; i < n; ++i)
      x[i] = static_cast<T>(from + (to - from) * static_cast<double>(i) / static_cast<double>(n));
    for (const LaneTable* table : lane_tables()) {
      const auto y = run<T>(*table, lane, {x});
      for (size_t i = 1; i < n; ++i) REQUIRE(T(sign) * y[i] <= T(sign) * y[i - 1]);
    }
  };
  falls(Lane::erfc, 0.1, sizeof(T) == 4 ? 10.5 : 27.5, 1);
  falls(Lane::erf, 3, 4.5, -1);
  falls(Lane::gelu, sizeof(T) == 4 ? -15 : -39, -1, 1);
  falls(Lane::gelu_tanh, sizeof(T) == 4 ? -11.2 : -22, -1, 1);
}
