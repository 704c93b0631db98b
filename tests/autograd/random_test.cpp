// The counter-based generator: known answers, the normal quantile, and simple statistics.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "autograd/autograd.h"

using namespace tapegrad;

TEST_CASE("autograd/random: Philox4x32-10 known answers") {
  // From the known-answer file of Random123 (Salmon et al., SC 2011); words are 32-bit, low word first.
  auto check = [](uint64_t counter, uint64_t stream, uint64_t key, uint64_t low, uint64_t high) {
    const detail::Philox draw = detail::philox(key, counter, stream);
    CHECK(draw.word[0] == low);
    CHECK(draw.word[1] == high);
  };
  check(0, 0, 0, 0xe169c58d6627e8d5, 0x9b00dbd8bc57ac4c);
  check(~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}, 0x41c83b0e408f276d, 0x6d5451fda20bc7c6);
  check(0x85a308d3243f6a88, 0x0370734413198a2e, 0x299f31d0a4093822, 0x94fdccebd16cfe09, 0x24126ea15001e420);
}

TEST_CASE("autograd/random: the normal quantile") {
  struct Point {
    double p, x;
  };
  for (const Point& point : {Point{0.5, 0.0},
                             {0.25, -0.6744897501960817},
                             {0.001, -3.090232306167813},
                             {1e-20, -9.262340089798408},
                             {0.975, 1.959963984540054},
                             {0.9, 1.2815515655446004},
                             {1e-10, -6.361340902404056}}) {
    INFO("p = " << point.p);
    CHECK(std::fabs(detail::normal_quantile(point.p) - point.x) <=
          1e-15 * std::max(1.0, std::fabs(point.x)) * 2);
  }
  // Antisymmetric, increasing, and the inverse of Φ(x) = erfc(−x/√2)/2.
  double before = -40;
  for (int i = 1; i < 1000; ++i) {
    const double p = i / 1000.0;
    const double x = detail::normal_quantile(p);
    CHECK(x > before);
    before = x;
    CHECK(std::erfc(-x / std::sqrt(2.0)) / 2 == doctest::Approx(p).epsilon(1e-14).scale(0));
    CHECK(detail::normal_quantile(1 - p) == doctest::Approx(-x).epsilon(1e-12));
  }
}

TEST_CASE("autograd/random: the same seed gives the same numbers") {
  Rng a(7), b(7), c(8);
  CHECK(equal(a.normal({5}), b.normal({5})));
  CHECK_FALSE(equal(a.normal({5}), c.normal({5})));
  CHECK(a.counter() == 10);
  CHECK(a.seed() == 7);
  // A copy goes on from where the original is.
  Rng copy = a;
  CHECK(equal(copy.uniform({3}), a.uniform({3})));
  // float32 numbers are the float64 ones, rounded.
  CHECK(equal(cast(Rng(3).normal({100}, float64), float32), Rng(3).normal({100})));
  CHECK_THROWS_AS(Rng(1).normal({2}, int64), DTypeError);
}

TEST_CASE("autograd/random: ranges") {
  Rng rng(1);
  for (int i = 0; i < 10000; ++i) {
    const double u = rng.uniform();
    CHECK((u >= 0 && u < 1));
  }
  const std::vector<double> v = rng.uniform({10000}, -2, 3, float64).to_vector<double>();
  CHECK(*std::min_element(v.begin(), v.end()) >= -2);
  CHECK(*std::max_element(v.begin(), v.end()) < 3);
  std::vector<int> counts(6, 0);
  for (int i = 0; i < 6000; ++i) ++counts[static_cast<size_t>(rng.integer(-2, 4) + 2)];
  for (int count : counts) CHECK(std::abs(count - 1000) < 150);  // 5 standard deviations
  CHECK(rng.integer(5, 6) == 5);
  CHECK_THROWS_AS(rng.integer(5, 5), ArgumentError);
  CHECK_THROWS_AS(rng.integers({2}, 3, 1), ArgumentError);
  const int64_t whole = rng.integer(INT64_MIN, INT64_MAX);
  CHECK(whole < INT64_MAX);
}

TEST_CASE("autograd/random: moments and correlation of normals") {
  constexpr int64_t n = 200'000;
  const std::vector<double> x = Rng(11).normal({n}, float64).to_vector<double>();
  double moments[5] = {};
  double lagged = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    double power = 1;
    for (int k = 1; k <= 4; ++k) moments[k] += (power *= x[i]) / n;
    if (i > 0) lagged += x[i] * x[i - 1] / n;
  }
  // Five standard errors: √(var/n) with variances 1, 2, 15, 96 and 1.
  const double unit = 5 / std::sqrt(static_cast<double>(n));
  CHECK(std::fabs(moments[1]) < unit);
  CHECK(std::fabs(moments[2] - 1) < unit * std::sqrt(2.0));
  CHECK(std::fabs(moments[3]) < unit * std::sqrt(15.0));
  CHECK(std::fabs(moments[4] - 3) < unit * std::sqrt(96.0));
  CHECK(std::fabs(lagged) < unit);
  // Kolmogorov-Smirnov against Φ at the 0.1 % level.
  std::vector<double> sorted = x;
  std::sort(sorted.begin(), sorted.end());
  double distance = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    const double p = std::erfc(-sorted[i] / std::sqrt(2.0)) / 2;
    distance = std::max(
        {distance, std::fabs(p - static_cast<double>(i) / n), std::fabs(p - static_cast<double>(i + 1) / n)});
  }
  CHECK(distance < 1.95 / std::sqrt(static_cast<double>(n)));
}

TEST_CASE("autograd/random: permutations") {
  std::vector<int64_t> order = Rng(5).permutation(1000).to_vector<int64_t>();
  CHECK_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (int64_t i = 0; i < 1000; ++i) CHECK(order[static_cast<size_t>(i)] == i);
  CHECK(Rng(5).permutation(0).numel() == 0);
  // Each of the 6 orders of 3 is about equally likely.
  Rng rng(6);
  std::vector<int> counts(27, 0);
  for (int i = 0; i < 6000; ++i) {
    const std::vector<int64_t> p = rng.permutation(3).to_vector<int64_t>();
    ++counts[static_cast<size_t>(p[0] * 9 + p[1] * 3 + p[2])];
  }
  for (int count : counts) CHECK((count == 0 || std::abs(count - 1000) < 150));
}

TEST_CASE("autograd/random: dropout") {
  Rng rng(9);
  Buffer state(rng.state());
  const Tensor x = ones({100'000});
  const Tensor a = dropout(x, 0.3, state);
  const Tensor b = dropout(x, 0.3, state);
  CHECK_FALSE(equal(a, b));  // the counter moved on
  CHECK(state.ref().version() == 2);
  CHECK(equal(dropout(x, 0.3, tensor({5, 9})), dropout(x, 0.3, tensor({5, 9}))));
  const double kept = sum(cast(a > 0.0, float32)).item() / 100'000;
  CHECK(std::fabs(kept - 0.7) < 5 * std::sqrt(0.21 / 100'000));
  CHECK(equal(a, cast(a > 0.0, float32) * static_cast<float>(1 / 0.7)));
  CHECK(equal(dropout(x, 0.0, state), x));
  CHECK(equal(dropout(x, 1.0, state), zeros({100'000})));
  // The sweep draws the same mask.
  Tape tape;
  const Tensor w = tape.watch(ones({1000}, float64));
  const Tensor y = dropout(w, 0.5, state);
  CHECK(equal(tape.gradient(y, ones({1000}, float64))[w], y));
}
