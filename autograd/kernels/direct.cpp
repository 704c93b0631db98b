#include "autograd/kernels/direct.h"

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

// The formula of a lane on elements that stand in vectors, or on one element.
template <Lane L, class T, size_t... K>
HWY_INLINE HWY_ATTR void lane_op(const DirectOp& op, std::index_sequence<K...>) {
  using F = Formula<L>;
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
HWY_INLINE HWY_ATTR void lane_op(const DirectOp& op) {
  lane_op<L, T>(op, std::make_index_sequence<operand_count<Formula<L>, T>()>{});
}

template <class T, size_t... K>
HWY_INLINE HWY_ATTR void lane_of(const DirectOp& op, std::index_sequence<K...>) {
  static_cast<void>(((op.lane == kDirectLanes[K].lane && (lane_op<kDirectLanes[K].lane, T>(op), true)) || ...));
}

// Each a function of its own, so that a lane op pays for the registers of no other.
template <class T>
HWY_NOINLINE HWY_ATTR void dots_of(const DirectOp& op) {
  dots<T>(op.in[0], op.columns, op.in[1], op.in[2], op.step[2], op.out, 0, op.count, op.flag);
}
template <class T>
HWY_NOINLINE HWY_ATTR void adds_of(const DirectOp& op) {
  adds<T>(op.in[0], op.columns, op.count, op.in[1], op.in[2], op.step[2], op.out, 0, op.count);
}
template <class T>
HWY_NOINLINE HWY_ATTR void move_of(const DirectOp& op) {
  move<T>(op.in[0], op.in[1], op.in[2], op.flag, op.columns, op.in[3], op.out, 0, op.count, op.readable);
}
template <class T>
HWY_NOINLINE HWY_ATTR void add_and_move_of(const DirectOp& op) {
  add_and_move<T>(op.in[0], op.columns, op.count, op.in[1], op.out, op.in[3], op.in[2], op.flag, op.moved);
}

template <class T>
HWY_NOINLINE HWY_ATTR void one(const DirectOp& op) {
  switch (op.kind) {
    case DirectOp::Kind::call: return op.kernel(op.in, op.step, op.out, op.count);
    case DirectOp::Kind::lane: return lane_of<T>(op, std::make_index_sequence<std::size(kDirectLanes)>{});
    case DirectOp::Kind::dots: return dots_of<T>(op);
    case DirectOp::Kind::adds: return adds_of<T>(op);
    case DirectOp::Kind::move: return move_of<T>(op);
    case DirectOp::Kind::add_and_move: return add_and_move_of<T>(op);
  }
}

HWY_ATTR void run_all(const DirectOp* ops, size_t count) {
  for (const DirectOp* op = ops; op < ops + count; ++op) {
    if (op->dtype == DType::float64) one<double>(*op);
    else one<float>(*op);
  }
}

}  // namespace
}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tapegrad::kernels {

HWY_EXPORT(run_all);

void run_direct(const DirectOp* ops, size_t count) { target(HWY_DISPATCH_TABLE(run_all))(ops, count); }

}  // namespace tapegrad::kernels

#endif
