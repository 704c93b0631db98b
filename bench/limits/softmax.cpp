// softmax and log-softmax of rows, forward and backward: each row is read from memory once and stays in the
// first-level cache until its derivative is written.

#include <cmath>

#include "autograd/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/limits/softmax.cpp"
#include <hwy/foreach_target.h>

#include "bench/limits/lanes-inl.h"
#include "bench/limits/limits.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::bench::HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

float largest(const float* x, size_t n) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  V most = hn::Set(d, x[0]);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) most = hn::Max(most, hn::LoadU(d, x + i));
  float value = hn::GetLane(hn::MaxOfLanes(d, most));
  for (; i < n; ++i) value = x[i] > value ? x[i] : value;
  return value;
}

// y = e^(x − shift); returns the sum.
float exponentials(const float* x, float shift, float* y, size_t n) {
  const D d;
  const hn::CappedTag<float, 1> one;
  const size_t lanes = hn::Lanes(d);
  V sum0 = hn::Zero(d), sum1 = sum0;
  const V by = hn::Set(d, shift);
  size_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const V a = exp_lanes(d, hn::Sub(hn::LoadU(d, x + i), by));
    const V b = exp_lanes(d, hn::Sub(hn::LoadU(d, x + i + lanes), by));
    hn::StoreU(a, d, y + i);
    hn::StoreU(b, d, y + i + lanes);
    sum0 = hn::Add(sum0, a);
    sum1 = hn::Add(sum1, b);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1)));
  for (; i < n; ++i) {
    y[i] = hn::GetLane(exp_lanes(one, hn::Set(one, x[i] - shift)));
    sum += y[i];
  }
  return sum;
}

void softmax_row(const float* x, const float* g, float* y, float* dx, size_t n) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const float scale = 1.0f / exponentials(x, largest(x, n), y, n);
  const V by = hn::Set(d, scale);
  V sum0 = hn::Zero(d), sum1 = sum0;
  size_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const V a = hn::Mul(hn::LoadU(d, y + i), by), b = hn::Mul(hn::LoadU(d, y + i + lanes), by);
    hn::StoreU(a, d, y + i);
    hn::StoreU(b, d, y + i + lanes);
    sum0 = hn::MulAdd(a, hn::LoadU(d, g + i), sum0);
    sum1 = hn::MulAdd(b, hn::LoadU(d, g + i + lanes), sum1);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1)));
  for (; i < n; ++i) {
    y[i] *= scale;
    sum += y[i] * g[i];
  }
  const V all = hn::Set(d, sum);
  for (i = 0; i + lanes <= n; i += lanes)
    hn::StoreU(hn::Mul(hn::LoadU(d, y + i), hn::Sub(hn::LoadU(d, g + i), all)), d, dx + i);
  for (; i < n; ++i) dx[i] = y[i] * (g[i] - sum);
}

// dx holds the exponentials in between.
void log_softmax_row(const float* x, const float* g, float* y, float* dx, size_t n) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const float most = largest(x, n);
  const float sum = exponentials(x, most, dx, n);
  const float shift = most + std::log(sum);
  const V by = hn::Set(d, shift);
  V sum0 = hn::Zero(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(hn::Sub(hn::LoadU(d, x + i), by), d, y + i);
    sum0 = hn::Add(sum0, hn::LoadU(d, g + i));
  }
  float gradient = hn::GetLane(hn::SumOfLanes(d, sum0));
  for (; i < n; ++i) {
    y[i] = x[i] - shift;
    gradient += g[i];
  }
  const float factor = gradient / sum;
  const V scale = hn::Set(d, factor);
  for (i = 0; i + lanes <= n; i += lanes)
    hn::StoreU(hn::NegMulAdd(hn::LoadU(d, dx + i), scale, hn::LoadU(d, g + i)), d, dx + i);
  for (; i < n; ++i) dx[i] = g[i] - dx[i] * factor;
}

void rows(bool logarithm, const float* x, const float* g, float* y, float* dx, size_t count, size_t n) {
  for (size_t r = 0; r < count; ++r) {
    if (logarithm) log_softmax_row(x + r * n, g + r * n, y + r * n, dx + r * n, n);
    else softmax_row(x + r * n, g + r * n, y + r * n, dx + r * n, n);
  }
}

}  // namespace tapegrad::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapegrad::bench {
HWY_EXPORT(rows);

void softmax_limit(bool logarithm, const float* x, const float* g, float* y, float* dx, int64_t count,
                   int64_t n, Team& team) {
  team.split(
      count,
      [&](int64_t begin, int64_t end) {
        HWY_DYNAMIC_DISPATCH(rows)
        (logarithm, x + begin * n, g + begin * n, y + begin * n, dx + begin * n,
         static_cast<size_t>(end - begin), static_cast<size_t>(n));
      },
      1, 8);
}

}  // namespace tapegrad::bench
#endif
