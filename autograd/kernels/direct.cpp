#include "autograd/kernels/direct.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/simd_targets.h"

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/direct.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/arithmetic-inl.h"
#include "autograd/kernels/elementary-inl.h"
#include "autograd/kernels/gemv-inl.h"
#include "autograd/kernels/outer-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {
namespace {

template <class T>
HWY_ATTR void call_of(const DirectOp& op) {
  op.kernel(op.in, op.step, op.out, op.count);
}

// The formula of a lane on elements that stand in vectors, or on one element.
template <class F, class T, size_t... K>
HWY_INLINE HWY_ATTR void formula_of(const DirectOp& op, std::index_sequence<K...>) {
  const RowTag<T> d;
  T* const to = static_cast<T*>(op.out);
  const T* const from[] = {static_cast<const T*>(op.in[K])...};
  if (op.count == 1) {
    *to = GetLane(F::f(d, Set(d, *from[K])...));
    return;
  }
  for (int64_t i = 0; i < op.count; i += kRowLanes<T>) {
    const auto y = F::f(d, (op.step[K] == 0 ? Set(d, *from[K]) : Load(d, from[K] + i))...);
    Store(y, d, to + i);
  }
}
template <Lane L, class T>
HWY_ATTR void lane_of(const DirectOp& op) {
  formula_of<Formula<L>, T>(op, std::make_index_sequence<operand_count<Formula<L>, T>()>{});
}

// Rows of Width elements; 0: of any number.
template <class T, int64_t Width>
HWY_ATTR void dots_of(const DirectOp& op) {
  dots<T>(op.in[0], Width > 0 ? Width : op.columns, op.in[1], op.in[2], op.step[2], op.out, 0, op.count,
          op.flag);
}
template <class T, int64_t Width>
HWY_ATTR void adds_of(const DirectOp& op) {
  const int64_t count = Width > 0 ? Width : op.count;
  adds<T>(op.in[0], op.columns, count, op.in[1], op.in[2], op.step[2], op.out, 0, count);
}
template <class T, int64_t Width>
HWY_ATTR void move_of(const DirectOp& op) {
  move<T>(op.in[0], op.in[1], op.in[2], op.flag, Width > 0 ? Width : op.columns, op.in[3], op.out, 0,
          op.count, op.readable);
}
template <class T, int64_t Width>
HWY_ATTR void add_and_move_of(const DirectOp& op) {
  add_and_move<T>(op.in[0], op.columns, Width > 0 ? Width : op.count, op.in[1], op.out, op.in[3], op.in[2],
                  op.flag, op.moved);
}

using Run = void (*)(const DirectOp& op);

// In the order in which resolve counts.
template <class T, size_t... L, size_t... W>
constexpr std::array<Run, kDirectSlots> functions(std::index_sequence<L...>, std::index_sequence<W...>) {
  return {&call_of<T>,
          &lane_of<kDirectLanes[L].lane, T>...,
          &dots_of<T, kDirectWidths[W]>...,
          &adds_of<T, kDirectWidths[W]>...,
          &move_of<T, kDirectWidths[W]>...,
          &add_and_move_of<T, kDirectWidths[W]>...};
}
template <class T>
constexpr auto kFunctions = functions<T>(std::make_index_sequence<std::size(kDirectLanes)>{},
                                         std::make_index_sequence<std::size(kDirectWidths)>{});

HWY_ATTR void run_all(const DirectOp* ops, size_t count) {
  for (const DirectOp* op = ops; op < ops + count; ++op) {
    (op->dtype == DType::float64 ? kFunctions<double> : kFunctions<float>)[op->slot](*op);
  }
}

}  // namespace
}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tapegrad::kernels {

HWY_EXPORT(run_all);

void resolve(DirectOp& op) {
  using Kind = DirectOp::Kind;
  if (op.kind == Kind::call) {
    op.slot = 0;
    return;
  }
  if (op.kind == Kind::lane) {
    const auto at = std::find_if(std::begin(kDirectLanes), std::end(kDirectLanes),
                                 [&](const DirectLane& lane) { return lane.lane == op.lane; });
    op.slot = static_cast<uint8_t>(1 + (at - std::begin(kDirectLanes)));
    return;
  }
  const int64_t width = op.kind == Kind::dots || op.kind == Kind::move ? op.columns : op.count;
  const auto* at = std::find(std::begin(kDirectWidths), std::end(kDirectWidths), width);
  if (at == std::end(kDirectWidths)) at = std::begin(kDirectWidths);
  const auto kind = static_cast<size_t>(op.kind) - static_cast<size_t>(Kind::dots);
  op.slot = static_cast<uint8_t>(1 + std::size(kDirectLanes) + kind * std::size(kDirectWidths) +
                                 static_cast<size_t>(at - std::begin(kDirectWidths)));
}

void run_direct(const DirectOp* ops, size_t count) { target(HWY_DISPATCH_TABLE(run_all))(ops, count); }

}  // namespace tapegrad::kernels

#endif
