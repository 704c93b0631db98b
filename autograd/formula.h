#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "autograd/apply.h"
#include "autograd/block.h"
#include "autograd/dual.h"
#include "autograd/op.h"

namespace tapegrad {

// The primitives of pointwise formulas, each with its derivative df(x…, y) written once, on any value a
// formula can have. `reads` says which of x… and y the derivative looks at; `linear` ones are piecewise
// linear: their second derivative is 0 wherever it exists, so no df is needed.
namespace formula {

enum class Reads : uint8_t { x, y, x_and_y };

struct Exp {
  static constexpr std::string_view name = "exp", backward[] = {"exp_backward"};
  static constexpr Reads reads = Reads::y;
  static auto df(auto, auto y) { return y; }
};
struct Log {
  static constexpr std::string_view name = "log", backward[] = {"log_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto) { return 1.0 / x; }
};
struct Sqrt {
  static constexpr std::string_view name = "sqrt", backward[] = {"sqrt_backward"};
  static constexpr Reads reads = Reads::y;
  static auto df(auto, auto y) { return 0.5 / y; }
};
struct Square {
  static constexpr std::string_view name = "square", backward[] = {"square_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto) { return 2.0 * x; }
};
struct Tanh {
  static constexpr std::string_view name = "tanh", backward[] = {"tanh_backward"};
  static constexpr Reads reads = Reads::x_and_y;
  static auto df(auto, auto y) { return 1.0 - y * y; }
};
struct Sigmoid {
  static constexpr std::string_view name = "sigmoid", backward[] = {"sigmoid_backward"};
  static constexpr Reads reads = Reads::x_and_y;
  static auto df(auto, auto y) { return y - y * y; }
};
struct Relu {
  static constexpr std::string_view name = "relu", backward[] = {"relu_backward"};
  static constexpr Reads reads = Reads::y;
  static constexpr bool linear = true;
};
struct Abs {
  static constexpr std::string_view name = "abs", backward[] = {"abs_backward"};
  static constexpr Reads reads = Reads::x;
  static constexpr bool linear = true;
};
struct Maximum {
  static constexpr std::string_view name = "maximum",
                                    backward[] = {"maximum_backward_a", "maximum_backward_b"};
  static constexpr Reads reads = Reads::x;
  static constexpr bool linear = true;
};
struct Minimum {
  static constexpr std::string_view name = "minimum",
                                    backward[] = {"minimum_backward_a", "minimum_backward_b"};
  static constexpr Reads reads = Reads::x;
  static constexpr bool linear = true;
};
struct Pow {
  static constexpr std::string_view name = "pow", backward[] = {"pow_backward_x", "pow_backward_p"};
  static constexpr Reads reads_of[] = {Reads::x, Reads::x_and_y};
  template <int I>
  static auto df(auto x, auto p, auto y) {
    // At p = 0 and x = 0 the slope is 0, and at x = 0, p ≥ 0 the log is not looked at: chosen, never
    // multiplied away.
    if constexpr (I == 0) {
      auto slope = p * pow(x, p - 1.0);
      return where(eq(x, 0.0), where(eq(p, 0.0), p, slope), slope);
    } else {
      auto slope = y * log(x);
      return where(eq(x, 0.0), where(p >= 0.0, x, slope), slope);
    }
  }
};

}  // namespace formula

namespace detail {

template <class F>
inline constexpr bool is_linear = requires {
  F::linear;
};

// df/dx_I at (x…, y), whether F has one formula or one per operand.
template <class F, int I, class... V>
auto closed_form(const V&... xs_and_y) {
  if constexpr (requires { F::df(xs_and_y...); }) return F::df(xs_and_y...);
  else return F::template df<I>(xs_and_y...);
}

template <class F, int I>
consteval formula::Reads reads() {
  if constexpr (requires { F::reads; }) return F::reads;
  else return F::reads_of[I];
}

// Calls f with those of x… and y that the derivative reads.
template <class F, int I, class Function, class... V>
auto with_read(Function f, const V&... xs_and_y) {
  constexpr formula::Reads kReads = reads<F, I>();
  constexpr size_t kFirst = kReads == formula::Reads::y ? sizeof...(V) - 1 : 0;
  constexpr size_t kCount =
      kReads == formula::Reads::y ? 1 : sizeof...(V) - (kReads == formula::Reads::x ? 1 : 0);
  auto all = std::forward_as_tuple(xs_and_y...);
  return [&]<size_t... K>(std::index_sequence<K...>) { return f(std::get<kFirst + K>(all)...); }
  (std::make_index_sequence<kCount>{});
}

// F at x…, by its kernel or rule.
template <class F, class E, class... More>
Block<E> evaluate(const Block<E>& x, const More&... more) {
  static const PointwiseKernel kernel = pointwise_kernel(F::name, dtype_of<E>());
  return Block<E>::call(kernel, x, more...);
}
template <class F, class... More>
Tensor evaluate(const Tensor& x, const More&... more) {
  static const Op& forward = *find_op(F::name);
  return apply(forward, {x, more...});
}
// g·∂F/∂x_I at (x…, y).
template <class F, int I, class E, class... More>
Block<E> evaluate_backward(const Block<E>& g, const More&... xs_and_y) {
  static const PointwiseKernel kernel = pointwise_kernel(F::backward[I], dtype_of<E>());
  return with_read<F, I>([&](const auto&... read) { return Block<E>::call(kernel, g, read...); },
                         xs_and_y...);
}
template <class F, int I, class... More>
Tensor evaluate_backward(const Tensor& g, const More&... xs_and_y) {
  static const Op& backward = *find_op(F::backward[I]);
  return with_read<F, I>([&](const auto&... read) { return apply(backward, {g, read...}); }, xs_and_y...);
}

template <class F, int I, class V, class... More>
Dual<V> evaluate_backward(const Dual<V>& g, const More&... xs_and_y);

template <class F, class V>
Dual<V> evaluate(const Dual<V>& x) {
  V y = evaluate<F>(x.v);
  if (!x.active) return {y, y, false};
  return {y, evaluate_backward<F, 0>(x.d, x.v, y)};
}
template <class F, class V>
Dual<V> evaluate(const Dual<V>& a, const Dual<V>& b) {
  V y = evaluate<F>(a.v, b.v);
  if (!a.active && !b.active) return {y, y, false};
  if (!b.active) return {y, evaluate_backward<F, 0>(a.d, a.v, b.v, y)};
  if (!a.active) return {y, evaluate_backward<F, 1>(b.d, a.v, b.v, y)};
  return {y, evaluate_backward<F, 0>(a.d, a.v, b.v, y) + evaluate_backward<F, 1>(b.d, a.v, b.v, y)};
}
// The derivative of g·df(x…, y) along all of them.
template <class F, int I, class V, class... More>
Dual<V> evaluate_backward(const Dual<V>& g, const More&... xs_and_y) {
  V y = evaluate_backward<F, I>(g.v, xs_and_y.v...);
  Dual<V> result = g.active ? Dual<V>{y, evaluate_backward<F, I>(g.d, xs_and_y.v...)} : Dual<V>{y, y, false};
  if constexpr (!is_linear<F>) {
    Dual<V> slope = closed_form<F, I>(xs_and_y...);
    if (slope.active) {
      V bend = g.v * slope.d;
      result = {y, result.active ? result.d + bend : bend};
    }
  }
  return result;
}

}  // namespace detail

// The functions themselves, on Blocks and Duals; those on Tensors are in ops.h.
template <FormulaValue V>
V exp(const V& x) {
  return detail::evaluate<formula::Exp>(x);
}
template <FormulaValue V>
V log(const V& x) {
  return detail::evaluate<formula::Log>(x);
}
template <FormulaValue V>
V sqrt(const V& x) {
  return detail::evaluate<formula::Sqrt>(x);
}
template <FormulaValue V>
V square(const V& x) {
  return detail::evaluate<formula::Square>(x);
}
template <FormulaValue V>
V tanh(const V& x) {
  return detail::evaluate<formula::Tanh>(x);
}
template <FormulaValue V>
V sigmoid(const V& x) {
  return detail::evaluate<formula::Sigmoid>(x);
}
template <FormulaValue V>
V relu(const V& x) {
  return detail::evaluate<formula::Relu>(x);
}
template <FormulaValue V>
V abs(const V& x) {
  return detail::evaluate<formula::Abs>(x);
}
template <FormulaValue V>
V maximum(const V& a, const V& b) {
  return detail::evaluate<formula::Maximum>(a, b);
}
template <FormulaValue V>
V minimum(const V& a, const V& b) {
  return detail::evaluate<formula::Minimum>(a, b);
}
template <FormulaValue V>
V pow(const V& x, const V& p) {
  return detail::evaluate<formula::Pow>(x, p);
}

// For `using namespace math` inside a formula: the same names, found for every kind of value.
namespace math {
using tapegrad::abs;
using tapegrad::exp;
using tapegrad::log;
using tapegrad::maximum;
using tapegrad::minimum;
using tapegrad::pow;
using tapegrad::relu;
using tapegrad::sigmoid;
using tapegrad::sqrt;
using tapegrad::square;
using tapegrad::tanh;
using tapegrad::where;
}  // namespace math

}  // namespace tapegrad
