// Functions on SIMD lanes shared by the hand-written limits, compiled once per target by Highway's
// foreach_target. The including file sets HWY_TARGET_INCLUDE and includes hwy/foreach_target.h first.

#if defined(TAPEGRAD_BENCH_LANES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_BENCH_LANES_INL_H
#undef TAPEGRAD_BENCH_LANES_INL_H
#else
#define TAPEGRAD_BENCH_LANES_INL_H
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::bench::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// e^x to 1.3 ULP for x in [-87.3, 88.3]; arguments beyond are moved to these ends. x = n ln 2 + r with |r| <=
// ln 2 / 2, a polynomial of degree 7 in r (Cephes expf), and n added to the exponent bits. Adding 1.5 * 2^23
// rounds to an integer and leaves it in the low bits.
template <class D, class V>
HWY_INLINE V exp_lanes(D d, V x) {
  const hn::RebindToSigned<D> di;
  x = hn::Min(hn::Max(x, hn::Set(d, -87.3f)), hn::Set(d, 88.3f));
  const V magic = hn::Set(d, 12582912.0f);
  const V shifted = hn::MulAdd(x, hn::Set(d, 1.44269504f), magic);
  const V n = hn::Sub(shifted, magic);
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r);
  const V r2 = hn::Mul(r, r);
  const V p01 = hn::MulAdd(r, hn::Set(d, 1.6666665459e-1f), hn::Set(d, 5.0000001201e-1f));
  const V p23 = hn::MulAdd(r, hn::Set(d, 8.3334519073e-3f), hn::Set(d, 4.1665795894e-2f));
  const V p45 = hn::MulAdd(r, hn::Set(d, 1.9875691500e-4f), hn::Set(d, 1.3981999507e-3f));
  const V p = hn::MulAdd(r2, hn::MulAdd(r2, p45, p23), p01);
  const V y = hn::MulAdd(r2, p, hn::Add(r, hn::Set(d, 1.0f)));
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(di, shifted));
  return hn::BitCast(d, hn::Add(hn::BitCast(di, y), exponent));
}

// 1 / (1 + e^-x), to 3.1 ULP above -87; below it stays at the value there, 1e-38.
template <class D, class V>
HWY_INLINE V sigmoid_lanes(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, exp_lanes(d, hn::Neg(x))));
}

// tanh x as a quotient: x p / q with p / q a minimax fit of tanh(x) / x in z = x^2, four over four terms, for
// |x| <= 9, where float32 rounds tanh to 1.
template <class D, class V>
HWY_INLINE void tanh_quotient(D d, V x, V& numerator, V& denominator) {
  const V one = hn::Set(d, 1.0f);
  x = hn::Min(hn::Max(x, hn::Set(d, -9.0f)), hn::Set(d, 9.0f));
  const V z = hn::Mul(x, x);
  V p = hn::MulAdd(z, hn::Set(d, 1.341930833e-08f), hn::Set(d, 2.066093657e-05f));
  V q = hn::MulAdd(z, hn::Set(d, 7.804533766e-07f), hn::Set(d, 3.291005851e-04f));
  p = hn::MulAdd(z, p, hn::Set(d, 3.498976119e-03f));
  q = hn::MulAdd(z, q, hn::Set(d, 2.589013055e-02f));
  p = hn::MulAdd(z, p, hn::Set(d, 1.338396370e-01f));
  q = hn::MulAdd(z, q, hn::Set(d, 4.671728611e-01f));
  numerator = hn::Mul(x, hn::MulAdd(z, p, one));
  denominator = hn::MulAdd(z, q, one);
}

// tanh x to 5 ULP, where 4.75 was the most found over every 37th float32, and never beyond 1.
template <class D, class V>
HWY_INLINE V tanh_lanes(D d, V x) {
  V numerator, denominator;
  tanh_quotient(d, x, numerator, denominator);
  const V one = hn::Set(d, 1.0f);
  return hn::Max(hn::Min(hn::Div(numerator, denominator), one), hn::Neg(one));
}

// out[r][c] = the sum of n products of left row r and right row c, for kLeft times kRight pairs of rows; n is
// a multiple of 16.
template <size_t kLeft, size_t kRight>
HWY_INLINE void dot_tile(const float* left, size_t left_stride, const float* right, size_t right_stride,
                         size_t n, float (&out)[kLeft][kRight]) {
  const hn::CappedTag<float, 16> d;
  using V = hn::Vec<decltype(d)>;
  constexpr size_t kLanes = hn::MaxLanes(d);
  V sums[kLeft][kRight];
#pragma GCC unroll 16
  for (size_t r = 0; r < kLeft; ++r)
#pragma GCC unroll 16
    for (size_t c = 0; c < kRight; ++c) sums[r][c] = hn::Zero(d);
  for (size_t i = 0; i < n; i += kLanes) {
    V row[kLeft];
#pragma GCC unroll 16
    for (size_t r = 0; r < kLeft; ++r) row[r] = hn::LoadU(d, left + r * left_stride + i);
#pragma GCC unroll 16
    for (size_t c = 0; c < kRight; ++c) {
      const V column = hn::LoadU(d, right + c * right_stride + i);
#pragma GCC unroll 16
      for (size_t r = 0; r < kLeft; ++r) sums[r][c] = hn::MulAdd(row[r], column, sums[r][c]);
    }
  }
#pragma GCC unroll 16
  for (size_t r = 0; r < kLeft; ++r)
#pragma GCC unroll 16
    for (size_t c = 0; c < kRight; ++c) out[r][c] = hn::GetLane(hn::SumOfLanes(d, sums[r][c]));
}

}  // namespace tapegrad::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
