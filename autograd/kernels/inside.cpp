#include "autograd/kernels/inside.h"

#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/simd_targets.h"

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/inside.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {
namespace {

using namespace hwy::HWY_NAMESPACE;

// n > 0. The sign of entry | (n − 1 − entry), modulo 2^64, tells.
HWY_ATTR bool all_inside(const int64_t* index, int64_t count, int64_t n) {
  const CappedTag<int64_t, 8> d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  const auto last = Set(d, n - 1);
  auto first_half = Zero(d), second_half = Zero(d);
  int64_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    const auto a = LoadU(d, index + i), b = LoadU(d, index + i + lanes);
    first_half = Or(first_half, Or(a, Sub(last, a)));
    second_half = Or(second_half, Or(b, Sub(last, b)));
  }
  if (!AllFalse(d, Lt(Or(first_half, second_half), Zero(d)))) return false;
  for (; i < count; ++i) {
    if (static_cast<uint64_t>(index[i]) >= static_cast<uint64_t>(n)) return false;
  }
  return true;
}

}  // namespace
}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tapegrad::kernels {

HWY_EXPORT(all_inside);

int64_t first_outside(const int64_t* index, int64_t count, int64_t n) {
  if (n > 0 && target(HWY_DISPATCH_TABLE(all_inside))(index, count, n)) return -1;
  for (int64_t i = 0; i < count; ++i) {
    if (static_cast<uint64_t>(index[i]) >= static_cast<uint64_t>(n)) return i;
  }
  return -1;
}

}  // namespace tapegrad::kernels

#endif
