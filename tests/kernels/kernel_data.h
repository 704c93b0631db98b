#pragma once

// What the tests of the kernels share.

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "autograd/dtype.h"
#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/parallel.h"

namespace tapegrad::kernel_tests {

// Half the distance from 1 to the next number.
template <class T>
inline constexpr double kUnit = std::numeric_limits<T>::epsilon() / 2;

template <class T>
inline constexpr T kInf = std::numeric_limits<T>::infinity();
template <class T>
inline constexpr T kNan = std::numeric_limits<T>::quiet_NaN();

// Numbers that follow from the seed alone (splitmix64).
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : state_(seed) {}
  uint64_t bits() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  double uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(bits() >> 11) * 0x1p-53;
  }
  int64_t below(int64_t n) { return static_cast<int64_t>(bits() % static_cast<uint64_t>(n)); }
  template <class T>
  std::vector<T> vector(int64_t n, double low = -1, double high = 1) {
    std::vector<T> v(static_cast<size_t>(n));
    for (T& x : v) x = static_cast<T>(uniform(low, high));
    return v;
  }

 private:
  uint64_t state_;
};

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

// Calls f(name) once for each vector target of this processor.
template <class F>
void on_each_target(F&& f) {
  for (int i = 0; i < kernels::target_count(); ++i) {
    kernels::use_target(i);
    f(std::string(kernels::target_name(i)));
  }
  kernels::use_target(0);
}

// What f() returns with one, two and three threads, and then the number of threads as it was.
template <class F>
auto with_threads(F&& f) {
  const int before = kernels::num_threads();
  std::vector<decltype(f())> results;
  for (int n : {1, 2, 3}) {
    kernels::set_num_threads(n);
    results.push_back(f());
  }
  kernels::set_num_threads(before);
  return results;
}

// How far y is from the exact value, in units in the last place of T near it; 0 for equal infinities or two
// NaN.
template <class T>
double ulps(T y, double exact) {
  if (std::isnan(exact) || std::isinf(exact) || std::isnan(y) || std::isinf(y)) {
    const bool same = (std::isnan(exact) && std::isnan(y)) || static_cast<double>(y) == exact;
    return same ? 0 : std::numeric_limits<double>::infinity();
  }
  const double size = std::max(std::fabs(exact), static_cast<double>(std::numeric_limits<T>::min()));
  const double ulp = std::ldexp(2 * kUnit<T>, std::ilogb(size));
  return std::fabs(static_cast<double>(y) - exact) / ulp;
}

}  // namespace tapegrad::kernel_tests
