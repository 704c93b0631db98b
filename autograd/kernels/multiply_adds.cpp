#include "autograd/kernels/multiply_adds.h"

#include <cstddef>

#include "autograd/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/multiply_adds.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// The values stay near 1; their sum goes to `sink` to keep the loop alive.
template <class T>
HWY_ATTR double chains(int64_t rounds, double* sink) {
  const hn::ScalableTag<T> d;
  constexpr size_t kChains = 10;
  hn::Vec<decltype(d)> x[kChains];
#pragma GCC unroll 16
  for (size_t c = 0; c < kChains; ++c) x[c] = hn::Set(d, T{1} + static_cast<T>(c));
  const auto a = hn::Set(d, static_cast<T>(0.5)), b = hn::Set(d, static_cast<T>(0.5));
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 16
    for (size_t c = 0; c < kChains; ++c) x[c] = hn::MulAdd(x[c], a, b);
  }
  auto sum = x[0];
#pragma GCC unroll 16
  for (size_t c = 1; c < kChains; ++c) sum = hn::Add(sum, x[c]);
  *sink = static_cast<double>(hn::GetLane(sum));
  return 2.0 * static_cast<double>(rounds) * static_cast<double>(kChains * hn::Lanes(d));
}

HWY_ATTR double chains_float32(int64_t rounds, double* sink) { return chains<float>(rounds, sink); }
HWY_ATTR double chains_float64(int64_t rounds, double* sink) { return chains<double>(rounds, sink); }

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapegrad::kernels {

HWY_EXPORT(chains_float32);
HWY_EXPORT(chains_float64);

double multiply_adds(DType dtype, int64_t rounds) {
  volatile double kept = 0;
  double sink = 0;
  const double flops = dtype == DType::float64 ? HWY_DYNAMIC_DISPATCH(chains_float64)(rounds, &sink)
                                               : HWY_DYNAMIC_DISPATCH(chains_float32)(rounds, &sink);
  kept = sink;
  static_cast<void>(kept);
  return flops;
}

}  // namespace tapegrad::kernels
#endif
