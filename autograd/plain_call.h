#pragma once

// The short way through the door. Internal, not installed.

#include <cstring>
#include <span>
#include <utility>

#include "autograd/body.h"
#include "autograd/record.h"

namespace tapegrad::detail {

// The operands of a plain call: a pointwise op of N operands, on elements of one shape and dtype, few enough
// for one thread, with 0-d tensors and numbers beside them.
template <size_t N>
struct PlainOperands {
  const Body* like = nullptr;  // the tensor whose shape the result has
  bool tracked = false;
  PointwiseKernel kernel;
  const void* in[kMaxOperands];
  int64_t step[kMaxOperands];
  double number[kMaxOperands];  // of the tensors' dtype

  // False for every other call, and for every faulty one.
  [[gnu::always_inline]] bool take(const Op& op, const Arg* args, OptionsRef options, const TapeImpl* tape) {
    const bool taken = [&]<size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) {
      return (take_operand(K, args[K], tape) && ...);
    }
    (std::make_index_sequence<N>{});
    if (!taken || like == nullptr || static_cast<uint64_t>(like->numel - 1) >= uint64_t{kPointwisePiece})
      return false;
    kernel = op.pointwise[static_cast<int>(like->dtype)];
    if (kernel == nullptr) return false;
    // Numbers before the first tensor, whose dtype was not known yet.
    for (size_t k = 0; args[k].is_literal(); ++k) {
      if (!take_number(k, args[k])) return false;
    }
    if (op.numbers > 0) {
      double values[kMaxOperands];
      if (!op.number_options(options.data, values)) return false;
      for (int i = 0; i < op.numbers; ++i) {
        if (!take_number(N + static_cast<size_t>(i), Arg(values[i]))) return false;
      }
    }
    return true;
  }
  [[gnu::always_inline]] bool take_operand(size_t k, const Arg& arg, const TapeImpl* tape) {
    const Body* body;
    if (arg.kind() == Arg::Kind::tensor) {
      body = arg.body();
      if (tape != nullptr && body->tape != 0) {
        if (body->tape != tape->serial) return false;
        tracked |= body->tracked;
      }
    } else if (arg.kind() == Arg::Kind::cell) {
      body = arg.cell()->value.handle();
      if (body == nullptr) return false;
      tracked |= tape != nullptr && arg.cell()->trainable;
    } else {
      return arg.is_literal() && (like == nullptr || take_number(k, arg));
    }
    in[k] = body->data;
    step[k] = body->rank != 0;
    if (like == nullptr) {
      like = body;
      return true;
    }
    if (body->dtype != like->dtype) return false;
    if (body->rank == 0) return true;
    if (like->rank != 0) return same_dims(*body, *like);
    like = body;
    return true;
  }
  [[gnu::always_inline]] bool take_number(size_t k, const Arg& arg) {
    if (!is_floating(like->dtype)) return false;
    put_number(like->dtype, arg, &number[k]);
    in[k] = &number[k];
    step[k] = 0;
    return true;
  }
};

// Whether a call on so many operands can be plain; how the operands are says the rest.
inline bool may_be_plain(const Op& op, size_t count, OptionsRef options) {
  return static_cast<size_t>(op.plain_operands) == count && options.type == op.options &&
         t_state.trace == nullptr;
}

// The long way through the door.
Tensor full_call(const Op& op, std::span<const Arg> args, OptionsRef options);

// What apply does of a call that may be plain.
template <size_t N>
[[gnu::noinline]] Tensor plain_call(const Op& op, const Arg* args, OptionsRef options) {
  TapeImpl* const tape = t_state.tape;
  PlainOperands<N> x;
  if (!x.take(op, args, options, tape)) [[unlikely]]
    return full_call(op, {args, N}, options);
  const DType dtype = op.boolean_result ? DType::boolean : x.like->dtype;
  Tensor y = Tensor::adopt(x.like->numel == 1 && x.like->rank == 0
                               ? make_single(dtype)
                               : make_body(dtype, {x.like->dims(), x.like->rank}, x.like->numel));
  x.kernel(x.in, x.step, y.handle()->data, x.like->numel);
  if (x.tracked && is_recorded(op, *y.handle())) {
    Body* const output = y.handle();
    record(*tape, op, options, t_state.site.file != nullptr ? t_state.site : args[0].where(), {args, N},
           {&output, 1});
  }
  return y;
}

// What update does, in the cell's memory; false where the call is not plain or that memory is also somebody
// else's.
template <size_t N>
[[gnu::noinline]] bool plain_update(Cell& cell, const Op& op, const Arg* args, OptionsRef options) {
  PlainOperands<N> x;
  if (!x.take(op, args, options, nullptr) || op.boolean_result) return false;
  const Body& held = *cell.value.handle();
  if (__atomic_load_n(&held.references, __ATOMIC_ACQUIRE) != 1 || held.owner != nullptr ||
      held.dtype != x.like->dtype || !same_dims(held, *x.like)) {
    return false;
  }
  x.kernel(x.in, x.step, held.data, held.numel);
  return true;
}

inline bool plain_update(Cell& cell, const Op& op, std::span<const Arg> args, OptionsRef options) {
  switch (args.size()) {
    case 1: return plain_update<1>(cell, op, args.data(), options);
    case 2: return plain_update<2>(cell, op, args.data(), options);
    case 3: return plain_update<3>(cell, op, args.data(), options);
    case 4: return plain_update<4>(cell, op, args.data(), options);
    default: return false;
  }
}

}  // namespace tapegrad::detail
