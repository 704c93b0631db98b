// What the lanes of sines, tangents, their inverses and lengths compute.

#include <numbers>

#include "tests/kernels/lane_values.h"

using namespace tapegrad::kernels;
using namespace tapegrad::kernels::testing;

namespace {

constexpr long double kPi = std::numbers::pi_v<long double>;

// The numbers on both sides of k·π/2, for k of every size.
template <class T>
std::vector<T> near_quarter_turns() {
  std::vector<T> x;
  std::mt19937_64 bits(11);
  for (int i = 0; i < 20000; ++i) {
    const auto k = static_cast<long double>(bits() >> (40 + bits() % 24));
    const T at = static_cast<T>(k * kPi / 2);
    for (T y : {at, std::nextafter(at, T(0)), std::nextafter(at, kInf<T>)}) {
      x.push_back(y);
      x.push_back(-y);
    }
  }
  // The number of T that lies closest to a multiple of π/2 (J.-M. Muller, Elementary Functions, 2nd ed., ch.
  // 11).
  const double closest = sizeof(T) == 4 ? 16367173 * 0x1p72 : 6381956970095103 * 0x1p797;
  x.push_back(static_cast<T>(closest));
  // At the end of the range that is reduced on lanes.
  for (T y : {T(0x1p20), std::nextafter(T(0x1p20), T(0)), std::nextafter(T(0x1p20), kInf<T>)}) x.push_back(y);
  return x;
}

// Pairs of every magnitude, of like and of unlike size and of every sign.
template <class T>
std::vector<std::vector<T>> pairs() {
  std::vector<std::vector<T>> x = {assorted<T>(20000, 21), assorted<T>(20000, 22)};
  std::mt19937_64 bits(23);
  std::normal_distribution<double> normal;
  using Limits = std::numeric_limits<T>;
  const int span = Limits::max_exponent - Limits::min_exponent + Limits::digits;
  for (int i = 0; i < 60000; ++i) {
    const int exponent = Limits::max_exponent - 3 - static_cast<int>(bits() % static_cast<uint64_t>(span));
    const auto a = static_cast<T>(std::ldexp(normal(bits), exponent));
    x[0].push_back(a);
    x[1].push_back(static_cast<T>(static_cast<double>(a) * normal(bits)));
  }
  return x;
}

template <class T, class Reference>
double worst_error_of_pairs(Lane lane, Reference reference) {
  const auto x = pairs<T>();
  double worst = 0;
  for (const LaneTable* table : lane_tables()) {
    const auto y = run<T>(*table, lane, x);
    for (size_t i = 0; i < y.size(); ++i) worst = std::max(worst, ulps<T>(y[i], reference(x[0][i], x[1][i])));
  }
  return worst;
}

}  // namespace

TEST_CASE_TEMPLATE("kernels/lanes_trigonometric: sines and tangents at special values", T, float, double) {
  const T inf = kInf<T>, nan = kNaN<T>, tiny = kTiniest<T>, zero = 0, one = 1;
  using L = Lane;
  for (Lane odd : {L::sin, L::tan, L::asin, L::atan}) {
    check<T>({{odd, {zero}, zero},
              {odd, {-zero}, -zero},
              {odd, {nan}, nan},
              {odd, {tiny}, tiny},
              {odd, {-3 * tiny}, -3 * tiny}});
  }
  check<T>({{L::sin, {inf}, nan},
            {L::sin, {-inf}, nan},
            {L::cos, {zero}, one},
            {L::cos, {-zero}, one},
            {L::cos, {tiny}, one},
            {L::cos, {inf}, nan},
            {L::cos, {-inf}, nan},
            {L::cos, {nan}, nan},
            {L::tan, {inf}, nan},
            {L::tan, {-inf}, nan}});
}

TEST_CASE_TEMPLATE("kernels/lanes_trigonometric: inverse functions at special values", T, float, double) {
  const T inf = kInf<T>, nan = kNaN<T>, tiny = kTiniest<T>, zero = 0, one = 1;
  const T pi = static_cast<T>(kPi), half = static_cast<T>(kPi / 2), quarter = static_cast<T>(kPi / 4);
  using L = Lane;
  check<T>({{L::asin, {one}, half},
            {L::asin, {-one}, -half},
            {L::asin, {std::nextafter(one, inf)}, nan},
            {L::asin, {inf}, nan},
            {L::acos, {zero}, half},
            {L::acos, {-zero}, half},
            {L::acos, {one}, zero},
            {L::acos, {-one}, pi},
            {L::acos, {std::nextafter(-one, -inf)}, nan},
            {L::acos, {-inf}, nan},
            {L::acos, {nan}, nan},
            {L::atan, {one}, quarter},
            {L::atan, {-one}, -quarter},
            {L::atan, {inf}, half},
            {L::atan, {-inf}, -half},
            {L::atan_backward, {2, zero}, 2},
            {L::atan_backward, {2, one}, one},
            {L::atan_backward, {2, inf}, zero},
            {L::atan_backward, {2, nan}, nan},
            {L::atan_backward, {zero, nan}, zero}});
  const T three_quarters = static_cast<T>(3 * kPi / 4);
  check<T>({{L::atan2, {zero, zero}, zero},
            {L::atan2, {-zero, zero}, -zero},
            {L::atan2, {zero, -zero}, pi},
            {L::atan2, {-zero, -zero}, -pi},
            {L::atan2, {zero, -one}, pi},
            {L::atan2, {-zero, -one}, -pi},
            {L::atan2, {-zero, one}, -zero},
            {L::atan2, {one, zero}, half},
            {L::atan2, {-one, -zero}, -half},
            {L::atan2, {inf, inf}, quarter},
            {L::atan2, {inf, -inf}, three_quarters},
            {L::atan2, {-inf, inf}, -quarter},
            {L::atan2, {-inf, -inf}, -three_quarters},
            {L::atan2, {inf, -one}, half},
            {L::atan2, {one, inf}, zero},
            {L::atan2, {-one, inf}, -zero},
            {L::atan2, {one, -inf}, pi},
            {L::atan2, {-zero, -inf}, -pi},
            {L::atan2, {tiny, one}, tiny},
            {L::atan2, {tiny, -tiny}, three_quarters},
            {L::atan2, {nan, one}, nan},
            {L::atan2, {one, nan}, nan},
            {L::atan2, {inf, nan}, nan},
            {L::atan2, {nan, zero}, nan}});
  check<T>({{L::atan2_backward_a, {2, zero, zero}, zero},
            {L::atan2_backward_b, {2, zero, zero}, -zero},
            {L::atan2_backward_a, {2, 0, 4}, T(0.5)},
            {L::atan2_backward_b, {2, 4, 0}, T(-0.5)},
            {L::atan2_backward_a, {one, inf, one}, zero},
            {L::atan2_backward_b, {one, inf, -inf}, -zero},
            {L::atan2_backward_a, {one, inf, nan}, nan},
            {L::atan2_backward_b, {one, nan, zero}, nan},
            {L::atan2_backward_a, {zero, nan, one}, zero},
            {L::atan2_backward_a, {one, zero, tiny}, inf},
            {L::atan2_backward_a, {zero, zero, tiny}, zero}});
  check<T>({{L::hypot_backward_a, {2, zero, zero, zero}, zero},
            {L::hypot_backward_b, {2, zero, -zero, zero}, zero},
            {L::hypot_backward_a, {4, 3, 0, 12}, one},
            {L::hypot_backward_b, {4, 0, -3, 12}, -one},
            {L::hypot_backward_b, {one, inf, 3, inf}, zero},
            {L::hypot_backward_a, {one, inf, 3, inf}, nan},
            {L::hypot_backward_a, {zero, inf, 3, inf}, zero},
            {L::hypot_backward_a, {one, nan, 3, nan}, nan}});
  const T most = std::numeric_limits<T>::max();
  check<T>({{L::hypot, {zero, zero}, zero},
            {L::hypot, {-zero, -zero}, zero},
            {L::hypot, {-3, 4}, 5},
            {L::hypot, {zero, -tiny}, tiny},
            {L::hypot, {3 * tiny, 4 * tiny}, 5 * tiny},
            {L::hypot, {most, zero}, most},
            {L::hypot, {most, one}, most},
            {L::hypot, {most, most}, inf},
            {L::hypot, {inf, nan}, inf},
            {L::hypot, {nan, -inf}, inf},
            {L::hypot, {zero, -inf}, inf},
            {L::hypot, {nan, one}, nan},
            {L::hypot, {zero, nan}, nan}});
}

// The bounds that the ops state (autograd/ops/trigonometric.cpp).
TEST_CASE_TEMPLATE("kernels/lanes_trigonometric: errors of sine, cosine and tangent", T, float, double) {
  using W = Wide<T>;
  const bool single = sizeof(T) == 4;
  for (const auto& x : {inputs<T>(-10, 10), inputs<T>(-2e6, 2e6), near_quarter_turns<T>()}) {
    CHECK(worst_error<T>(Lane::sin, x, [](W v) { return std::sin(v); }) <= (single ? 0.51 : 1));
    CHECK(worst_error<T>(Lane::cos, x, [](W v) { return std::cos(v); }) <= (single ? 0.51 : 1));
    CHECK(worst_error<T>(Lane::tan, x, [](W v) { return std::tan(v); }) <= (single ? 0.51 : 2));
  }
}

TEST_CASE_TEMPLATE("kernels/lanes_trigonometric: errors of inverse functions", T, float, double) {
  using W = Wide<T>;
  const bool single = sizeof(T) == 4;
  std::vector<T> near_one;
  std::mt19937_64 bits(31);
  std::uniform_real_distribution<double> unit(0, 1);
  for (int i = 0; i < 40000; ++i) {
    const T x = static_cast<T>(1 - std::ldexp(unit(bits), -static_cast<int>(bits() % 54)));
    near_one.push_back(x);
    near_one.push_back(-x);
  }
  for (const auto& x : {inputs<T>(-3, 3), near_one}) {
    CHECK(worst_error<T>(Lane::asin, x, [](W v) { return std::asin(v); }) <= (single ? 0.51 : 1.5));
    CHECK(worst_error<T>(Lane::acos, x, [](W v) { return std::acos(v); }) <= (single ? 0.51 : 1.5));
    CHECK(worst_error<T>(Lane::atan, x, [](W v) { return std::atan(v); }) <= (single ? 0.51 : 2));
  }
  const auto slopes = inputs<T>(-3, 3);
  const std::vector<T> ones(slopes.size(), 1);
  for (const LaneTable* table : lane_tables()) {
    const auto slope = run<T>(*table, Lane::atan_backward, {ones, slopes});
    double worst = 0;
    for (size_t i = 0; i < slopes.size(); ++i) {
      const long double x = slopes[i];
      worst = std::max(worst, ulps<T>(slope[i], 1 / (1 + x * x)));
    }
    CHECK(worst <= 3);  // of a product, a sum and a quotient
  }
}

TEST_CASE_TEMPLATE("kernels/lanes_trigonometric: errors of angles and lengths", T, float, double) {
  using W = Wide<T>;
  CHECK(worst_error_of_pairs<T>(Lane::atan2, [](W y, W x) { return std::atan2(y, x); }) <=
        (sizeof(T) == 4 ? 0.51 : 2));
  CHECK(worst_error_of_pairs<T>(Lane::hypot, [](W a, W b) { return std::hypot(a, b); }) <= 1.5);

  const auto x = pairs<T>();
  const std::vector<T> ones(x[0].size(), 1);
  for (const LaneTable* table : lane_tables()) {
    const auto slope = run<T>(*table, Lane::atan2_backward_a, {ones, x[0], x[1]});
    const auto other = run<T>(*table, Lane::atan2_backward_b, {ones, x[1], x[0]});
    double worst = 0;
    for (size_t i = 0; i < slope.size(); ++i) {
      const long double a = x[1][i], b = x[0][i], squares = a * a + b * b;
      const bool end = squares == 0 || std::isinf(squares);
      worst = std::max(worst, ulps<T>(slope[i], end ? 0 : a / squares));
      CHECK(same_bits(-other[i], slope[i]));
    }
    CHECK(worst <= 3);  // a sum of two products, a quotient
  }
}
