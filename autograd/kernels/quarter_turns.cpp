#include "autograd/kernels/quarter_turns.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace tapegrad::kernels {
namespace {

// The bits of 2/π below the point, highest first, after 64 bits of 0.
constexpr uint32_t kTwoOverPi[] = {
    0x00000000, 0x00000000, 0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041,
    0xfe5163ab, 0xdebbc561, 0xb7246e3a, 0x424dd2e0, 0x06492eea, 0x09d1921c, 0xfe1deb1c, 0xb129a73e,
    0xe88235f5, 0x2ebb4484, 0xe99c7026, 0xb45f7e41, 0x3991d639, 0x835339f4, 0x9c845f8b, 0xbdf9283b,
    0x1ff897ff, 0xde05980f, 0xef2f118b, 0x5a0a6d1f, 0x6d367ecf, 0x27cb09b7, 0x4f463f66, 0x9e5fea2d,
    0x7527bac7, 0xebe5f17b, 0x3d0739f7, 0x8a5292ea, 0x6bfb5fb1, 0x1f8d5d08, 0x56033046, 0xfc7b6bab};

constexpr double kHalfPiHigh = 0x1.921fb54442d18p+0, kHalfPiLow = 0x1.1a62633145c07p-54;

constexpr int kLimbs = 6;

// m·(2/π)·2^e modulo 4, in units of 2^−190, highest limb first: bits of 2/π whose share is a multiple of 4
// are left out, and so are those below the 192 that follow (Payne and Hanek, Radian reduction for
// trigonometric functions, 1983).
void multiply(uint64_t m, int e, uint32_t (&product)[kLimbs]) {
  const size_t first = static_cast<size_t>(e + 62) / 32;
  const int shift = (e + 62) % 32;
  uint32_t window[kLimbs];
  for (size_t i = 0; i < kLimbs; ++i) {
    const uint64_t two = uint64_t{kTwoOverPi[first + i]} << 32 | kTwoOverPi[first + i + 1];
    window[i] = static_cast<uint32_t>(two >> (32 - shift));
    product[i] = 0;
  }
  const uint64_t halves[] = {m & 0xffffffff, m >> 32};
  for (int h = 0; h < 2; ++h) {
    uint64_t carry = 0;
    for (int i = kLimbs - 1 - h, from = kLimbs - 1; i >= 0; --i, --from) {
      carry += halves[h] * window[from] + product[i];
      product[i] = static_cast<uint32_t>(carry);
      carry >>= 32;
    }
  }
}

void negate(uint32_t (&limbs)[kLimbs]) {
  uint64_t carry = 1;
  for (int i = kLimbs - 1; i >= 0; --i) {
    carry += ~limbs[i];
    limbs[i] = static_cast<uint32_t>(carry);
    carry >>= 32;
  }
}

}  // namespace

QuarterTurns quarter_turns(double x) {
  if (!std::isfinite(x)) return {0, std::numeric_limits<double>::quiet_NaN(), 0};
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(x), &exponent);
  uint32_t turns[kLimbs];
  multiply(static_cast<uint64_t>(std::ldexp(fraction, 53)), exponent - 53, turns);
  // The nearest integer and what is left.
  constexpr uint32_t kHalf = uint32_t{1} << 29;
  const uint32_t n = (turns[0] + kHalf) >> 30;
  const bool above = (turns[0] & kHalf) != 0;
  turns[0] &= 2 * kHalf - 1;
  if (above) {
    turns[0] |= 6 * kHalf;
    negate(turns);
  }
  // The first 128 bits from the first limb that is not 0, as a sum of two numbers.
  int first = 0;
  while (first + 1 < kLimbs && turns[first] == 0) ++first;
  auto limb = [&](int i) { return first + i < kLimbs ? uint64_t{turns[first + i]} : 0; };
  const uint64_t high_bits = limb(0) << 32 | limb(1), low_bits = limb(2) << 32 | limb(3);
  const int unit = -190 + 32 * (4 - first);
  const double high = std::ldexp(static_cast<double>(high_bits >> 11), unit + 11);
  const double low = std::ldexp(static_cast<double>((high_bits & 0x7ff) << 42 | low_bits >> 22), unit - 42);
  // Times π/2.
  const double product = high * kHalfPiHigh;
  const double lost = std::fma(high, kHalfPiHigh, -product) + (high * kHalfPiLow + low * kHalfPiHigh);
  const double r = product + lost;
  const double tail = (product - r) + lost;
  const bool negative = std::signbit(x) != above;
  return {static_cast<int>((std::signbit(x) ? 4 - n : n) & 3), negative ? -r : r, negative ? -tail : tail};
}

}  // namespace tapegrad::kernels
