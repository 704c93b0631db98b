// What the lanes compute: special values, and error bounds against wider arithmetic.

#include <doctest/doctest.h>

#include "tests/kernels/lane_values.h"

using namespace tapegrad::kernels;
using namespace tapegrad::kernels::testing;

namespace {

// The worst error in ULP over x of a derivative (g, x, y) at g = 1, on all targets.
template <class T, class Reference>
double worst_slope_error(Lane forward, Lane backward, const std::vector<T>& x, Reference reference) {
  double worst = 0;
  for (const LaneTable* table : lane_tables()) {
    const auto y = run<T>(*table, forward, {x});
    const auto slope = run<T>(*table, backward, {std::vector<T>(x.size(), 1), x, y});
    for (size_t i = 0; i < x.size(); ++i) worst = std::max(worst, ulps<T>(slope[i], reference(x[i])));
  }
  return worst;
}

template <class W>
W sigmoid(W x) {
  const W e = std::exp(-std::fabs(x));
  return (x < 0 ? e : 1) / (1 + e);
}
template <class W>
W sigmoid_slope(W x) {
  const W e = std::exp(-std::fabs(x));
  return e / ((1 + e) * (1 + e));
}

}  // namespace

TEST_CASE_TEMPLATE("kernels/lanes: values at the ends of the range", T, float, double) {
  const T inf = kInf<T>, nan = kNaN<T>, tiny = kTiniest<T>, zero = 0, one = 1;
  using L = Lane;
  check<T>({{L::exp, {zero}, one},
            {L::exp, {-zero}, one},
            {L::exp, {inf}, inf},
            {L::exp, {-inf}, zero},
            {L::exp, {nan}, nan},
            {L::exp, {1000}, inf},
            {L::exp, {-1000}, zero},
            {L::exp, {tiny}, one},
            {L::expm1, {zero}, zero},
            {L::expm1, {-zero}, -zero},
            {L::expm1, {inf}, inf},
            {L::expm1, {-inf}, -one},
            {L::expm1, {nan}, nan},
            {L::expm1, {tiny}, tiny},
            {L::expm1, {-tiny}, -tiny},
            {L::expm1, {-1000}, -one},
            {L::expm1, {1000}, inf},
            {L::log, {one}, zero},
            {L::log, {zero}, -inf},
            {L::log, {-zero}, -inf},
            {L::log, {-one}, nan},
            {L::log, {-tiny}, nan},
            {L::log, {inf}, inf},
            {L::log, {-inf}, nan},
            {L::log, {nan}, nan},
            {L::log1p, {zero}, zero},
            {L::log1p, {-zero}, -zero},
            {L::log1p, {-one}, -inf},
            {L::log1p, {-2}, nan},
            {L::log1p, {inf}, inf},
            {L::log1p, {-inf}, nan},
            {L::log1p, {nan}, nan},
            {L::log1p, {tiny}, tiny},
            {L::log1p, {-tiny}, -tiny},
            {L::tanh, {zero}, zero},
            {L::tanh, {-zero}, -zero},
            {L::tanh, {inf}, one},
            {L::tanh, {-inf}, -one},
            {L::tanh, {nan}, nan},
            {L::tanh, {1000}, one},
            {L::tanh, {tiny}, tiny},
            {L::tanh, {-3 * tiny}, -3 * tiny},
            {L::sigmoid, {zero}, T(.5)},
            {L::sigmoid, {inf}, one},
            {L::sigmoid, {-inf}, zero},
            {L::sigmoid, {nan}, nan},
            {L::sigmoid, {1000}, one},
            {L::sigmoid, {-1000}, zero},
            {L::relu, {-one}, zero},
            {L::relu, {-zero}, zero},
            {L::relu, {nan}, nan},
            {L::relu, {inf}, inf},
            {L::relu, {-inf}, zero},
            {L::relu, {tiny}, tiny},
            {L::neg, {zero}, -zero},
            {L::neg, {-zero}, zero},
            {L::neg, {inf}, -inf},
            {L::abs, {-zero}, zero},
            {L::abs, {nan}, nan},
            {L::abs, {-inf}, inf},
            {L::sign, {nan}, nan},
            {L::sign, {zero}, zero},
            {L::sign, {-tiny}, -one},
            {L::sign, {inf}, one},
            {L::sqrt, {zero}, zero},
            {L::sqrt, {-one}, nan},
            {L::rsqrt, {zero}, inf},
            {L::rsqrt, {inf}, zero},
            {L::reciprocal, {zero}, inf},
            {L::square, {-inf}, inf},
            {L::mul, {zero, inf}, nan},
            {L::sub, {inf, inf}, nan},
            {L::div, {one, zero}, inf},
            {L::div, {one, -zero}, -inf},
            {L::div, {zero, zero}, nan},
            {L::mul, {tiny, one}, tiny},
            {L::add, {tiny, tiny}, 2 * tiny}});
  check<T>({{L::maximum, {1, 2}, 2},
            {L::maximum, {2, 1}, 2},
            {L::maximum, {nan, 1}, nan},
            {L::maximum, {1, nan}, nan},
            {L::maximum, {-inf, nan}, nan},
            {L::minimum, {1, 2}, 1},
            {L::minimum, {nan, 1}, nan},
            {L::minimum, {1, nan}, nan},
            {L::minimum, {inf, -inf}, -inf},
            {L::pow, {0, 0}, 1},
            {L::pow, {-2, 3}, -8},
            {L::pow, {nan, 0}, 1},
            {L::pow, {0, -1}, inf},
            {L::pow, {-8, T(.5)}, nan},
            {L::pow, {inf, -1}, 0}});
}

TEST_CASE_TEMPLATE("kernels/lanes: gradients at kinks, ties and poles", T, float, double) {
  const T inf = kInf<T>, nan = kNaN<T>, zero = 0, half = T(.5);
  using L = Lane;
  check<T>({{L::relu_backward, {3, zero}, zero},
            {L::relu_backward, {3, 1}, 3},
            {L::relu_backward, {3, nan}, 3},
            {L::relu_backward, {inf, zero}, zero},
            {L::abs_backward, {3, zero}, zero},
            {L::abs_backward, {3, -2}, -3},
            {L::abs_backward, {3, nan}, nan},
            {L::abs_backward, {zero, nan}, zero}});
  check<T>({{L::maximum_backward_a, {3, 1, 1}, 3 * half},
            {L::maximum_backward_b, {3, 1, 1}, 3 * half},
            {L::maximum_backward_a, {3, 2, 1}, 3},
            {L::maximum_backward_b, {3, 2, 1}, 0},
            {L::maximum_backward_a, {3, 1, 2}, 0},
            {L::maximum_backward_b, {3, 1, 2}, 3},
            {L::maximum_backward_a, {inf, 1, 2}, 0},
            {L::maximum_backward_a, {3, nan, 2}, 3},
            {L::minimum_backward_a, {3, 1, 1}, 3 * half},
            {L::minimum_backward_b, {3, 1, 1}, 3 * half},
            {L::minimum_backward_a, {3, 2, 1}, 0},
            {L::minimum_backward_b, {3, 2, 1}, 3},
            {L::minimum_backward_a, {3, 1, 2}, 3},
            {L::minimum_backward_b, {3, 1, 2}, 0},
            {L::minimum_backward_b, {3, 1, nan}, 3}});
  check<T>({{L::pole_mul, {0, inf}, 0},
            {L::pole_mul, {-zero, nan}, 0},
            {L::pole_mul, {2, inf}, inf},
            {L::pole_mul, {inf, 0}, nan},
            {L::pole_mul, {nan, 1}, nan},
            {L::pole_mul, {-zero, 1}, -zero},
            {L::pole_mul, {2, 3}, 6},
            {L::pole_div, {0, zero}, 0},
            {L::pole_div, {-zero, nan}, 0},
            {L::pole_div, {0, inf}, 0},
            {L::pole_div, {2, -zero}, -inf},
            {L::pole_div, {inf, inf}, nan},
            {L::pole_div, {nan, 1}, nan},
            {L::pole_div, {-zero, 1}, -zero},
            {L::pole_div, {6, 3}, 2},
            {L::sqrt_backward, {1, 0}, inf},
            {L::sqrt_backward, {1, -zero}, inf},
            {L::sqrt_backward, {-1, 0}, -inf},
            {L::sqrt_backward, {0, 0}, 0},
            {L::sqrt_backward, {1, nan}, nan},
            {L::sqrt_backward, {1, 2}, T(.25)},
            {L::rsqrt_backward, {1, inf}, -inf},
            {L::rsqrt_backward, {0, inf}, 0},
            {L::rsqrt_backward, {1, 2}, -4},
            {L::log_backward, {1, 0}, inf},
            {L::log_backward, {1, -zero}, inf},
            {L::log_backward, {-1, 0}, -inf},
            {L::log_backward, {0, 0}, 0},
            {L::log_backward, {1, -1}, nan},
            {L::log_backward, {0, -1}, 0},
            {L::log_backward, {1, inf}, 0},
            {L::log_backward, {1, nan}, nan},
            {L::log1p_backward, {1, -1}, inf},
            {L::log1p_backward, {0, -1}, 0},
            {L::log1p_backward, {1, -2}, nan},
            {L::log1p_backward, {1, 1}, half},
            {L::reciprocal_backward, {1, 2}, -4},
            {L::reciprocal_backward, {0, inf}, 0},
            {L::exp_backward, {0, inf}, 0},
            {L::exp_backward, {2, 3}, 6},
            {L::expm1_backward, {2, 0}, 2},
            {L::expm1_backward, {1, -inf}, 0},
            {L::square_backward, {3, 5}, 30},
            {L::tanh_backward, {2, 0, 0}, 2},
            {L::tanh_backward, {1, inf, 1}, 0},
            {L::tanh_backward, {1, nan, nan}, nan},
            {L::sigmoid_backward, {1, 0, half}, T(.25)},
            {L::sigmoid_backward, {1, inf, 1}, 0},
            {L::sigmoid_backward, {1, -inf, 0}, 0}});
  check<T>({{L::pow_backward_x, {1, 0, 0}, 0},
            {L::pow_backward_x, {1, 0, 1}, 1},
            {L::pow_backward_x, {1, 0, 2}, 0},
            {L::pow_backward_x, {1, 0, half}, inf},
            {L::pow_backward_x, {0, 0, half}, 0},
            {L::pow_backward_x, {1, -2, 3}, 12},
            {L::pow_backward_x, {1, -2, half}, nan},
            {L::pow_backward_p, {1, 0, 2, 0}, 0},
            {L::pow_backward_p, {1, 0, 0, 1}, 0},
            {L::pow_backward_p, {1, 0, -1, inf}, -inf},
            {L::pow_backward_p, {1, -zero, -1, -inf}, -inf},
            {L::pow_backward_p, {0, 0, -1, inf}, 0},
            {L::pow_backward_p, {1, -2, 3, -8}, nan},
            {L::pow_backward_p, {1, 1, 5, 1}, 0},
            {L::pow_backward_p, {1, inf, -1, 0}, 0},
            {L::pow_backward_p, {1, 0, nan, nan}, nan},
            {L::pow_backward_p, {1, nan, 1, nan}, nan}});
}

TEST_CASE_TEMPLATE("kernels/lanes: elementary functions are good to 2 ULP, denormal results included", T,
                   float, double) {
  using W = Wide<T>;
  const bool single = sizeof(T) == 4;
  const double overflow = single ? 88.8 : 709.8, vanishing = single ? -104 : -745.2;
  CHECK(worst_error<T>(Lane::exp, inputs<T>(vanishing, overflow), [](W x) { return std::exp(x); }) <= 2);
  CHECK(worst_error<T>(Lane::expm1, inputs<T>(-40, overflow), [](W x) { return std::expm1(x); }) <= 2);
  CHECK(worst_error<T>(Lane::log, inputs<T>(0, 4), [](W x) { return std::log(x); }) <= 2);
  CHECK(worst_error<T>(Lane::log1p, inputs<T>(-1, 4), [](W x) { return std::log1p(x); }) <= 2);
  CHECK(worst_error<T>(Lane::tanh, inputs<T>(-20, 20), [](W x) { return std::tanh(x); }) <= 2);
  CHECK(worst_error<T>(Lane::sigmoid, inputs<T>(vanishing, 40), [](W x) { return sigmoid(x); }) <= 2);

  const T least = run<T>(lane_table(), Lane::exp, {{static_cast<T>(single ? -103 : -744.5)}})[0];
  CHECK(least > 0);
  CHECK(least <= 2 * kTiniest<T>);
}

TEST_CASE_TEMPLATE("kernels/lanes: the slopes of tanh and sigmoid keep their digits where y saturates", T,
                   float, double) {
  using W = Wide<T>;
  const double far = sizeof(T) == 4 ? 104 : 745;
  CHECK(worst_slope_error<T>(Lane::tanh, Lane::tanh_backward, inputs<T>(-far / 2, far / 2),
                             [](W x) { return 4 * sigmoid_slope(2 * x); }) <= 4);
  CHECK(worst_slope_error<T>(Lane::sigmoid, Lane::sigmoid_backward, inputs<T>(-far, far),
                             [](W x) { return sigmoid_slope(x); }) <= 4);
}

// By C's rules, in double.
double pow_slope(double x, double p) { return p == 0 ? 0 : p * std::pow(x, p - 1); }

TEST_CASE("kernels/lanes: float pow and its slope, by the rules of C") {
  using Limits = std::numeric_limits<float>;
  // clang-format off
  std::vector<float> special = {
      0, Limits::denorm_min(), 3e-40f, Limits::min(), 0x1p-30f, 0.25f, 0.5f, 0.7f, 0x1.fffffep-1f,
      1, 0x1.000002p0f, 1.5f, 2, 3, 4, 7.5f, 100, 127, 150, 8388607, 8388609, 16777215, 16777216,
      1e30f, Limits::max(), kInf<float>, kNaN<float>};
  // clang-format on
  for (size_t i = special.size(); i-- > 0;) special.push_back(-special[i]);
  std::vector<float> g, x, p;
  for (const float a : special) {
    for (const float b : special) {
      x.push_back(a);
      p.push_back(b);
    }
  }
  // Where the result is neither 0 nor infinite, and where the base is near 1.
  std::mt19937_64 bits(6);
  for (int i = 0; i < 200'000; ++i) {
    std::uniform_real_distribution<double> unit(-1, 1);
    const double log = i % 2 == 0 ? 88 * unit(bits) : std::exp2(-23 * std::fabs(unit(bits))) * unit(bits);
    x.push_back(static_cast<float>(std::exp(log)));
    p.push_back(static_cast<float>(104 * unit(bits) / log));
  }
  g.assign(x.size(), 1);
  for (const LaneTable* table : lane_tables()) {
    const auto y = run<float>(*table, Lane::pow, {x, p});
    const auto dx = run<float>(*table, Lane::pow_backward_x, {g, x, p});
    double worst = 0;
    int wrong = 0;  // kinds of number, or signs of one
    for (size_t i = 0; i < x.size(); ++i) {
      const auto check = [&](float got, double exact) {
        const auto rounded = static_cast<float>(exact);
        if (std::isfinite(rounded)) {
          if (!(ulps<float>(got, exact) <= worst)) worst = ulps<float>(got, exact);
          wrong += std::signbit(got) != std::signbit(rounded);
        } else {
          wrong += std::isnan(exact) ? !std::isnan(got) : got != rounded;
        }
      };
      check(y[i], std::pow(static_cast<double>(x[i]), static_cast<double>(p[i])));
      check(dx[i], pow_slope(static_cast<double>(x[i]), static_cast<double>(p[i])));
    }
    CHECK(wrong == 0);
    CHECK(worst <= 0.52);
  }
}

TEST_CASE_TEMPLATE("kernels/lanes: the derivatives of pow", T, float, double) {
  std::mt19937_64 bits(5);
  std::uniform_real_distribution<double> base(0.1, 10), exponent(-4, 4);
  const size_t n = 2000;
  std::vector<T> g(n), x(n), p(n);
  for (size_t i = 0; i < n; ++i) {
    g[i] = static_cast<T>(exponent(bits));
    x[i] = static_cast<T>(base(bits));
    p[i] = static_cast<T>(exponent(bits));
  }
  const auto y = run<T>(lane_table(), Lane::pow, {x, p});
  const auto dx = run<T>(lane_table(), Lane::pow_backward_x, {g, x, p});
  const auto dp = run<T>(lane_table(), Lane::pow_backward_p, {g, x, p, y});
  double worst_x = 0, worst_p = 0;
  for (size_t i = 0; i < n; ++i) {
    using W = Wide<T>;
    const W gw = g[i], xw = x[i], pw = p[i];
    worst_x = std::max(worst_x, ulps<T>(dx[i], gw * pw * std::pow(xw, pw - 1)));
    worst_p = std::max(worst_p, ulps<T>(dp[i], gw * std::pow(xw, pw) * std::log(xw)));
  }
  // pow and log to 1 ULP, two or three roundings.
  CHECK(worst_x <= 4);
  CHECK(worst_p <= 5);
}
