#include "autograd/kernels/scan_lanes.h"

#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/simd_targets.h"

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/scan_lanes.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/log-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {
namespace {

using Wide = CappedTag<double, 8>;
using V = Vec<Wide>;

// step(p, first, second) does one row of one vector of scans: p is the place in each tile.
template <class Step>
HWY_INLINE HWY_ATTR void for_scans(int64_t rows, int64_t width, ScanState& state, Step step) {
  const Wide d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  for (int64_t c = 0; c < width; c += lanes) {
    V first = Load(d, state.first + c), second = Load(d, state.second + c);
    for (int64_t r = 0; r < rows; ++r) step(r * kTileWidth + c, first, second);
    Store(first, d, state.first + c);
    Store(second, d, state.second + c);
  }
}

HWY_ATTR void sum(Tile* tiles, int64_t rows, int64_t width, ScanState& state) {
  const Wide d;
  for_scans(rows, width, state, [&](int64_t p, V& total, V& lost) HWY_ATTR {
    const V x = Load(d, tiles[0].v + p);
    const V next = Add(total, x);
    const V part = Sub(next, total);
    lost = Add(lost, Add(Sub(total, Sub(next, part)), Sub(x, part)));  // Knuth's two-sum
    total = next;
    const V y = Add(total, lost);
    // Beyond the range of numbers nothing is known of what was lost.
    Store(IfThenElse(IsFinite(total), y, total), d, tiles[0].v + p);
  });
}

HWY_ATTR void product(Tile* tiles, int64_t rows, int64_t width, ScanState& state) {
  const Wide d;
  for_scans(rows, width, state, [&](int64_t p, V& all, V&) HWY_ATTR {
    all = Mul(all, Load(d, tiles[0].v + p));
    Store(all, d, tiles[0].v + p);
  });
}

HWY_ATTR void log_sum_exp(Tile* tiles, int64_t rows, int64_t width, ScanState& state) {
  const Wide d;
  const V one = Set(d, 1.0);
  for_scans(rows, width, state, [&](int64_t p, V& largest, V& rest) HWY_ATTR {
    const V x = Load(d, tiles[0].v + p);
    const auto rises = Or(Gt(x, largest), IsNaN(x));
    const V high = IfThenElse(rises, x, largest), low = IfThenElse(rises, largest, x);
    const V e = IfThenElse(Eq(low, high), one, exp(d, Sub(low, high)));
    rest = IfThenElse(rises, Mul(Add(rest, one), e), Add(rest, e));
    largest = high;
    Store(Add(largest, log1p(d, rest)), d, tiles[0].v + p);
  });
}

HWY_ATTR void linear(Tile* tiles, int64_t rows, int64_t width, ScanState& state) {
  const Wide d;
  for_scans(rows, width, state, [&](int64_t p, V& y, V&) HWY_ATTR {
    y = Add(Load(d, tiles[1].v + p), Mul(Load(d, tiles[0].v + p), y));
    Store(y, d, tiles[0].v + p);
  });
}

HWY_ATTR void before(Tile* tiles, int64_t rows, int64_t width, ScanState& state) {
  const Wide d;
  for_scans(rows, width, state, [&](int64_t p, V& all, V&) HWY_ATTR {
    const V x = Load(d, tiles[0].v + p);
    Store(all, d, tiles[0].v + p);
    all = Mul(all, x);
  });
}

HWY_ATTR void product_times(Tile* tiles, int64_t rows, int64_t width, ScanState& state) {
  const Wide d;
  for_scans(rows, width, state, [&](int64_t p, V& all, V&) HWY_ATTR {
    const V x = Load(d, tiles[0].v + p);
    Store(Mul(all, Load(d, tiles[1].v + p)), d, tiles[0].v + p);
    all = Mul(all, x);
  });
}

HWY_ATTR void running_product(Tile* tiles, int64_t rows, int64_t width, ScanState& state) {
  const Wide d;
  for_scans(rows, width, state, [&](int64_t p, V& carried, V&) HWY_ATTR {
    const V x = Load(d, tiles[0].v + p);
    const V s = Add(Load(d, tiles[2].v + p), carried);
    Store(Mul(Load(d, tiles[1].v + p), s), d, tiles[0].v + p);
    carried = Mul(x, s);
  });
}

constexpr TileKernel kKernels[kTileScans] = {&sum,    &product,       &log_sum_exp,    &linear,
                                             &before, &product_times, &running_product};

}  // namespace

const TileKernel* tile_table() { return kKernels; }

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tapegrad::kernels {

HWY_EXPORT(tile_table);

const TileKernel* tile_kernels() { return target(HWY_DISPATCH_TABLE(tile_table))(); }

}  // namespace tapegrad::kernels

#endif
