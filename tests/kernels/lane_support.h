#pragma once

// What the tests of the lane kernels share: aligned operands, running a lane, errors in units in the last
// place.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "autograd/kernels/lanes.h"

namespace tapegrad::kernels::testing {

// Elements at a 64-byte boundary, followed by at least 64 bytes of padding.
template <class T>
class Aligned {
 public:
  explicit Aligned(const std::vector<T>& values)
      : size_(values.size()), memory_((values.size() * sizeof(T)) / 64 + 2) {
    if (!values.empty()) std::memcpy(memory_.data(), values.data(), values.size() * sizeof(T));
  }
  explicit Aligned(size_t size) : Aligned(std::vector<T>(size)) {}

  T* data() { return reinterpret_cast<T*>(memory_.data()); }
  size_t size() const { return size_; }
  size_t bytes() const { return memory_.size() * 64; }
  std::vector<T> values() { return {data(), data() + size_}; }

 private:
  struct alignas(64) Line {
    char bytes[64];
  };
  size_t size_;
  std::vector<Line> memory_;
};

// 64 bytes that all hold one value.
template <class T>
Aligned<T> repeated(T value) {
  return Aligned<T>(std::vector<T>(64 / sizeof(T), value));
}

template <class T>
LaneKernel kernel_of(const LaneTable& table, Lane lane) {
  return (sizeof(T) == sizeof(float) ? table.f32 : table.f64)[static_cast<size_t>(lane)];
}

// The lane over dense operands of equal length.
template <class T>
std::vector<T> run(const LaneTable& table, Lane lane, const std::vector<std::vector<T>>& operands) {
  std::vector<Aligned<T>> own;
  for (const auto& operand : operands) own.emplace_back(operand);
  const void* in[4] = {};
  const int64_t step[4] = {1, 1, 1, 1};
  for (size_t k = 0; k < own.size(); ++k) in[k] = own[k].data();
  Aligned<T> out(operands[0].size());
  kernel_of<T>(table, lane)(in, step, out.data(), static_cast<int64_t>(out.size()));
  return out.values();
}

template <class T>
bool same_bits(T a, T b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0 || (std::isnan(a) && std::isnan(b));
}
template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!same_bits(a[i], b[i])) return false;
  }
  return true;
}

// |got − want| in units in the last place of T at `want`; infinite if only one is NaN, infinite or of another
// sign.
template <class T>
double ulps(T got, long double want) {
  using Limits = std::numeric_limits<T>;
  constexpr double kWrong = std::numeric_limits<double>::infinity();
  if (std::isnan(want) || std::isnan(got)) return std::isnan(want) && std::isnan(got) ? 0 : kWrong;
  const T nearest = static_cast<T>(want);
  if (std::isinf(nearest) || std::isinf(got)) return got == nearest ? 0 : kWrong;
  if (std::signbit(got) != std::signbit(want)) return kWrong;
  int exponent = 0;
  std::frexp(want, &exponent);
  const int last = std::max(exponent, Limits::min_exponent) - Limits::digits;
  return static_cast<double>(std::fabs(std::ldexp(static_cast<long double>(got) - want, -last)));
}

// Numbers of every magnitude: uniform bit patterns (NaN and infinity among them), and normal ones around 0
// and 1.
template <class T>
std::vector<T> assorted(size_t count, uint64_t seed) {
  std::mt19937_64 bits(seed);
  std::normal_distribution<double> normal;
  std::vector<T> values(count);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t pattern = bits();
    switch (i % 4) {
      case 0: std::memcpy(&values[i], &pattern, sizeof(T)); break;
      case 1: values[i] = static_cast<T>(normal(bits)); break;
      case 2: values[i] = static_cast<T>(20 * normal(bits)); break;
      default:
        values[i] = static_cast<T>(1 + std::ldexp(normal(bits), -static_cast<int>(pattern % 24)));
        break;
    }
  }
  return values;
}

}  // namespace tapegrad::kernels::testing
