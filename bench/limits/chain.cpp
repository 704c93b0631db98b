// The chain-1m case in one pass over memory: value and derivative of each element from one load.

#include <atomic>

#include "autograd/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/limits/chain.cpp"
#include <hwy/foreach_target.h>

#include "bench/limits/lanes-inl.h"
#include "bench/limits/limits.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::bench::HWY_NAMESPACE {

// With t = tanh(a x + b), s = sigmoid(x), e = exp(-x^2):
// y = t s - e,  dy/dx = a (1 - t^2) s + t s (1 - s) + 2 x e.
template <class D, class V>
HWY_INLINE void chain_element(D d, V x, V a, V b, V& y, V& dy) {
  const V one = hn::Set(d, 1.0f);
  const V t = tanh_lanes(d, hn::MulAdd(x, a, b));
  const V s = sigmoid_lanes(d, x);
  const V e = exp_lanes(d, hn::Neg(hn::Mul(x, x)));
  const V ts = hn::Mul(t, s);
  y = hn::Sub(ts, e);
  dy = hn::MulAdd(hn::Mul(a, hn::NegMulAdd(t, t, one)), s, hn::NegMulAdd(ts, s, ts));
  dy = hn::MulAdd(hn::Add(x, x), e, dy);
}

float chain(const float* x, float a, float b, float* dx, size_t n) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  constexpr size_t kLanes = hn::MaxLanes(d);
  constexpr size_t kBlock = 4096;  // the sum of a block is float32, the sum over blocks float64
  const V va = hn::Set(d, a), vb = hn::Set(d, b);
  double total = 0.0;
  size_t i = 0;
  while (i + kLanes <= n) {
    const size_t end = n - i < kBlock ? n : i + kBlock;
    V sum = hn::Zero(d);
    for (; i + kLanes <= end; i += kLanes) {
      V y, dy;
      chain_element(d, hn::LoadU(d, x + i), va, vb, y, dy);
      hn::StoreU(dy, d, dx + i);
      sum = hn::Add(sum, y);
    }
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum)));
  }
  for (; i < n; ++i) {
    const hn::CappedTag<float, 1> single;
    hn::Vec<decltype(single)> y, dy;
    chain_element(single, hn::Set(single, x[i]), hn::Set(single, a), hn::Set(single, b), y, dy);
    dx[i] = hn::GetLane(dy);
    total += static_cast<double>(hn::GetLane(y));
  }
  return static_cast<float>(total);
}

}  // namespace tapegrad::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapegrad::bench {
HWY_EXPORT(chain);
float chain_limit(const float* x, float a, float b, float* dx, int64_t n, Team& team) {
  if (team.threads() == 1) return HWY_DYNAMIC_DISPATCH(chain)(x, a, b, dx, static_cast<size_t>(n));
  std::atomic<float> sum{0.0f};
  team.split(
      n,
      [&](int64_t begin, int64_t end) {
        sum += HWY_DYNAMIC_DISPATCH(chain)(x + begin, a, b, dx + begin, static_cast<size_t>(end - begin));
      },
      4096, 8);
  return sum;
}
}  // namespace tapegrad::bench
#endif
