#pragma once

// What the tests of single functions on lanes share: special values, and errors against wider arithmetic.

#include <doctest/doctest.h>

#include <type_traits>

#include "tests/kernels/lane_support.h"

namespace tapegrad::kernels::testing {

template <class T>
struct Case {
  Lane lane;
  std::vector<T> operands;
  T want;
};

template <class T>
constexpr T kInf = std::numeric_limits<T>::infinity();
template <class T>
constexpr T kNaN = std::numeric_limits<T>::quiet_NaN();
template <class T>
constexpr T kTiniest = std::numeric_limits<T>::denorm_min();

// Each case alone, that is in every lane of a vector, on every target; bits must match, the sign of 0
// included.
template <class T>
void check(const std::vector<Case<T>>& cases) {
  for (const LaneTable* table : lane_tables()) {
    for (size_t i = 0; i < cases.size(); ++i) {
      std::vector<std::vector<T>> operands;
      for (const T x : cases[i].operands) operands.emplace_back(1, x);
      const T got = run<T>(*table, cases[i].lane, operands)[0];
      CAPTURE(table->target);
      CAPTURE(i);
      CAPTURE(got);
      CAPTURE(cases[i].want);
      CHECK(same_bits(got, cases[i].want));
    }
  }
}

// The worst error in ULP over x, of a lane with one operand, on all targets.
template <class T, class Reference>
double worst_error(Lane lane, const std::vector<T>& x, Reference reference) {
  double worst = 0;
  for (const LaneTable* table : lane_tables()) {
    const auto y = run<T>(*table, lane, {x});
    for (size_t i = 0; i < x.size(); ++i) worst = std::max(worst, ulps<T>(y[i], reference(x[i])));
  }
  return worst;
}

// Numbers for a function that is interesting between low and high: every magnitude, that range, and around 0
// and 1.
template <class T>
std::vector<T> inputs(double low, double high) {
  std::vector<T> x = assorted<T>(40000, 42);
  std::mt19937_64 bits(43);
  std::uniform_real_distribution<double> range(low, high), unit(-1, 1);
  for (int i = 0; i < 40000; ++i) x.push_back(static_cast<T>(range(bits)));
  for (int i = 0; i < 40000; ++i) x.push_back(static_cast<T>(1.5 * unit(bits)));
  for (int i = 0; i < 20000; ++i)
    x.push_back(static_cast<T>(std::ldexp(unit(bits), -static_cast<int>(bits() % 60))));
  for (int i = 0; i < 10000; ++i)
    x.push_back(static_cast<T>(1 + std::ldexp(unit(bits), -static_cast<int>(bits() % 52))));
  return x;
}

// The reference: float against double, which is far better; double against long double, 11 bits better on
// x86.
template <class T>
using Wide = std::conditional_t<sizeof(T) == 4, double, long double>;

}  // namespace tapegrad::kernels::testing
