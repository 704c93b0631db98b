// The lanes of activations and of rounding: special values, and error bounds against wider arithmetic.

#include <doctest/doctest.h>

#include <type_traits>

#include "tests/kernels/lane_values.h"

using namespace tapegrad::kernels;
using namespace tapegrad::kernels::testing;

namespace {

// Numbers of every magnitude, the range where the functions bend, that where results are denormal, and around
// 0.
template <class T>
std::vector<T> inputs() {
  const double far = sizeof(T) == 4 ? 110 : 755;
  std::vector<T> x = assorted<T>(40000, 42);
  std::mt19937_64 bits(43);
  std::uniform_real_distribution<double> tails(-far, far), bend(-10, 10), unit(-1, 1);
  for (int i = 0; i < 40000; ++i) x.push_back(static_cast<T>(bend(bits)));
  for (int i = 0; i < 20000; ++i) x.push_back(static_cast<T>(tails(bits)));
  for (int i = 0; i < 20000; ++i)
    x.push_back(static_cast<T>(std::ldexp(unit(bits), -static_cast<int>(bits() % 60))));
  return x;
}

// Where the slopes of silu and mish cross 0, at −1.2785 and −1.1925.
bool near_zero(double x) { return x > -1.6 && x < -0.9; }

// The lane's operands: x where there is one element for each, single numbers repeated.
template <class T>
std::vector<T> outputs(const LaneTable& table, Lane lane, const std::vector<T>& x, std::vector<T> before,
                       std::vector<T> after) {
  std::vector<std::vector<T>> operands;
  for (T v : before) operands.emplace_back(x.size(), v);
  operands.push_back(x);
  for (T v : after) operands.emplace_back(x.size(), v);
  return run<T>(table, lane, operands);
}

// The worst error in ULP over x on all targets; of slopes, whose cotangent is 1, away from their zeros.
template <class T, class Reference>
double worst(Lane lane, std::vector<T> before, std::vector<T> after, Reference reference) {
  const std::vector<T> x = inputs<T>();
  double worst = 0;
  for (const LaneTable* table : lane_tables()) {
    const std::vector<T> y = outputs(*table, lane, x, before, after);
    for (size_t i = 0; i < x.size(); ++i) {
      if (!before.empty() && near_zero(x[i])) continue;
      worst = std::max(worst, ulps<T>(y[i], reference(static_cast<long double>(x[i]))));
    }
  }
  return worst;
}

// The worst absolute error of a slope around its zero, in units of the type's epsilon.
template <class T, class Reference>
double worst_near_zero(Lane lane, Reference reference) {
  std::vector<T> x = inputs<T>();
  std::erase_if(x, [](T v) { return !near_zero(v); });
  double worst = x.size() > 1000 ? 0 : kInf<double>;
  for (const LaneTable* table : lane_tables()) {
    const std::vector<T> y = outputs(*table, lane, x, {T(1)}, {});
    for (size_t i = 0; i < x.size(); ++i) {
      const long double error = std::fabs(y[i] - reference(static_cast<long double>(x[i])));
      worst = std::max(worst, static_cast<double>(error) / double{std::numeric_limits<T>::epsilon()});
    }
  }
  return worst;
}

// ---- the functions in long double, 11 bits more than double on x86, each where it keeps them ----

using W = long double;

W decay(W x) { return std::exp(-std::fabs(x)); }
W elu(W x, W alpha) { return x > 0 ? x : alpha * std::expm1(x); }
W softplus(W x) { return x > 20 ? x : (x > 0 ? x : x != x ? x : 0) + std::log1p(decay(x)); }
W sigmoid(W x) { return (x < 0 ? decay(x) : 1) / (1 + decay(x)); }
W silu(W x) { return std::isinf(x) ? (x > 0 ? x : -W{0}) : x * sigmoid(x); }
W silu_slope(W x) {
  if (std::isinf(x)) return x > 0 ? 1 : -W{0};
  return sigmoid(x) * (1 + x * sigmoid(-x));
}
// tanh(softplus(x)), and 1 − its square.
W factor(W x) {
  const W q = sigmoid(-x);
  return sigmoid(x) * (1 + q) / (1 + q * q);
}
W rest(W x) {
  const W q = sigmoid(-x), root = 2 * q / (1 + q * q);
  return root * root;
}
W mish(W x) { return std::isinf(x) ? (x > 0 ? x : -W{0}) : x * factor(x); }
W mish_slope(W x) {
  if (x < -11000 || std::isinf(x)) return x > 0 ? 1 : -W{0};
  return factor(x) + x * sigmoid(x) * rest(x);
}

}  // namespace

TEST_CASE_TEMPLATE("kernels/activation: special values", T, float, double) {
  const T inf = kInf<T>, nan = kNaN<T>, zero = 0, tiny = std::numeric_limits<T>::denorm_min();
  const T large = sizeof(T) == 4 ? T(1e30) : T(1e300);
  using L = Lane;
  check<T>({{L::leaky_relu, {-4, T(.25)}, -1},
            {L::leaky_relu, {-zero, T(.25)}, -zero},
            {L::leaky_relu, {nan, T(.25)}, nan},
            {L::leaky_relu, {inf, T(.25)}, inf},
            {L::leaky_relu_backward, {3, zero, T(.25)}, T(.75)},
            {L::leaky_relu_backward, {3, tiny, T(.25)}, 3},
            {L::leaky_relu_backward, {3, nan, T(.25)}, T(.75)},
            {L::elu, {-zero, 2}, -zero},
            {L::elu, {-inf, 2}, -2},
            {L::elu, {-large, 2}, -2},
            {L::elu, {inf, 2}, inf},
            {L::elu, {large, 2}, large},
            {L::elu, {nan, 2}, nan},
            {L::elu, {-tiny, 2}, -2 * tiny},
            {L::selu, {-zero}, -zero},
            {L::selu, {inf}, inf},
            {L::selu, {nan}, nan},
            {L::selu, {-large}, T(-1.7580993408473768599)}});
  check<T>({{L::softplus, {inf, 1, 20}, inf},
            {L::softplus, {-inf, 1, 20}, zero},
            {L::softplus, {-large, 1, 20}, zero},
            {L::softplus, {nan, 1, 20}, nan},
            {L::softplus, {3, 1, 2}, 3},
            {L::softplus, {zero, 1, 20}, T(0.69314718055994530942)},
            {L::softplus, {zero, 2, 20}, T(0.34657359027997265471)},
            {L::softplus, {inf, 1, inf}, inf},
            {L::softplus_backward, {3, inf, 1, 20}, 3},
            {L::softplus_backward, {3, -inf, 1, 20}, zero},
            {L::softplus_backward, {3, T(2.5), 1, 2}, 3},
            {L::softplus_backward, {3, nan, 1, 20}, nan},
            {L::softplus_backward, {4, zero, 2, 20}, 2}});
  check<T>({{L::silu, {zero}, zero},
            {L::silu, {-zero}, -zero},
            {L::silu, {inf}, inf},
            {L::silu, {-inf}, -zero},
            {L::silu, {large}, large},
            {L::silu, {-large}, -zero},
            {L::silu, {nan}, nan},
            {L::silu_backward, {2, zero}, 1},
            {L::silu_backward, {2, inf}, 2},
            {L::silu_backward, {2, -inf}, -zero},
            {L::silu_backward, {2, large}, 2},
            {L::silu_backward, {2, -large}, -zero},
            {L::silu_backward, {2, nan}, nan},
            {L::silu_backward, {0, nan}, zero},
            {L::mish, {zero}, zero},
            {L::mish, {-zero}, -zero},
            {L::mish, {inf}, inf},
            {L::mish, {-inf}, -zero},
            {L::mish, {large}, large},
            {L::mish, {-large}, -zero},
            {L::mish, {nan}, nan},
            {L::mish_backward, {5, zero}, 3},
            {L::mish_backward, {2, inf}, 2},
            {L::mish_backward, {2, -inf}, -zero},
            {L::mish_backward, {2, large}, 2},
            {L::mish_backward, {2, -large}, -zero},
            {L::mish_backward, {2, nan}, nan}});
  check<T>({{L::hardtanh, {5, -1, 2}, 2},
            {L::hardtanh, {-5, -1, 2}, -1},
            {L::hardtanh, {-zero, zero, 2}, -zero},
            {L::hardtanh, {nan, -1, 2}, nan},
            {L::hardtanh_backward, {3, 2, -1, 2}, zero},
            {L::hardtanh_backward, {3, -1, -1, 2}, zero},
            {L::hardtanh_backward, {3, 1, -1, 2}, 3},
            {L::hardtanh_backward, {3, nan, -1, 2}, 3},
            {L::clamp, {5, -1, 2}, 2},
            {L::clamp, {-zero, zero, 2}, -zero},
            {L::clamp, {5, 3, 2}, 2},
            {L::clamp, {-5, 3, 2}, 2},
            {L::clamp, {nan, 3, 2}, nan},
            {L::clamp, {1, nan, 2}, nan},
            {L::clamp, {1, 0, nan}, nan},
            {L::clamp, {inf, -inf, inf}, inf},
            {L::clamp_backward, {3, 2, -1, 2}, 3},
            {L::clamp_backward, {3, -1, -1, 2}, 3},
            {L::clamp_backward, {inf, -2, -1, 2}, zero},
            {L::clamp_backward, {3, nan, -1, 2}, zero},
            {L::clamp_backward, {3, 1, nan, 2}, zero}});
}

TEST_CASE_TEMPLATE("kernels/activation: rounding is that of the C library", T, float, double) {
  std::vector<T> x = assorted<T>(20000, 7);
  for (int i = -40; i <= 40; ++i) {
    const T half = static_cast<T>(i) / 2, whole = static_cast<T>(0x1p22) + half;
    for (T v : {half, std::nextafter(half, -kInf<T>), std::nextafter(half, kInf<T>), whole, -whole})
      x.push_back(v);
  }
  for (T v :
       {T(0x1p23), T(0x1p24), T(0x1p52), T(0x1p53), T(0x1p62), T(0x1p63), T(0x1p64), T(0x1p100), -T(0)}) {
    for (T w : {v, -v, std::nextafter(v, T(0)), -std::nextafter(v, T(0))}) x.push_back(w);
  }
  for (const LaneTable* table : lane_tables()) {
    CAPTURE(table->target);
    const auto down = run<T>(*table, Lane::floor, {x}), up = run<T>(*table, Lane::ceil, {x});
    const auto nearest = run<T>(*table, Lane::round, {x}), short_of = run<T>(*table, Lane::trunc, {x});
    for (size_t i = 0; i < x.size(); ++i) {
      CAPTURE(x[i]);
      CHECK(same_bits<T>(down[i], std::floor(x[i])));
      CHECK(same_bits<T>(up[i], std::ceil(x[i])));
      CHECK(same_bits<T>(nearest[i], std::nearbyint(x[i])));
      CHECK(same_bits<T>(short_of[i], std::trunc(x[i])));
    }
  }
}

TEST_CASE_TEMPLATE("kernels/activation: error bounds, denormal results included", T, float, double) {
  const double e = worst<T>(Lane::elu, {}, {T(1)}, [](W x) { return elu(x, 1); });
  const double s = worst<T>(Lane::selu, {}, {},
                            [](W x) { return 1.0507009873554804934L * elu(x, 1.6732632423543772848L); });
  const double p = worst<T>(Lane::softplus, {}, {T(1), T(20)}, softplus);
  const double i = worst<T>(Lane::silu, {}, {}, silu);
  const double m = worst<T>(Lane::mish, {}, {}, mish);
  MESSAGE("elu " << e << ", selu " << s << ", softplus " << p << ", silu " << i << ", mish " << m);
  CHECK(e <= 1.5);
  CHECK(s <= 3);
  CHECK(p <= 2);
  CHECK(i <= 3);
  CHECK(m <= 3);
}

TEST_CASE_TEMPLATE("kernels/activation: slopes keep their digits far below 0", T, float, double) {
  const double p =
      worst<T>(Lane::softplus_backward, {T(1)}, {T(1), T(20)}, [](W x) { return x > 20 ? 1 : sigmoid(x); });
  const double i = worst<T>(Lane::silu_backward, {T(1)}, {}, silu_slope);
  const double m = worst<T>(Lane::mish_backward, {T(1)}, {}, mish_slope);
  const double i0 = worst_near_zero<T>(Lane::silu_backward, silu_slope);
  const double m0 = worst_near_zero<T>(Lane::mish_backward, mish_slope);
  MESSAGE("softplus " << p << ", silu " << i << ", mish " << m << "; near 0: silu " << i0 << ", mish " << m0);
  CHECK(p <= 2);
  CHECK(i <= 4);
  CHECK(m <= 4);
  CHECK(i0 <= 0.25);
  CHECK(m0 <= 0.25);
}
