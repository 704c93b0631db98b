#pragma once

#include <concepts>
#include <utility>

#include "autograd/block.h"
#include "autograd/ops.h"
#include "autograd/tensor.h"

namespace tapegrad {

// A value and its derivative along one direction (forward mode, Griewank & Walther, Evaluating Derivatives,
// ch. 3). V is a Block, a Tensor or another Dual. An inactive one is constant: nothing is computed with its
// derivative, so that 0·inf cannot arise where there is no dependence.
template <class V>
struct Dual {
  V v;
  V d;
  bool active;

  Dual(V value) : v(value), d(std::move(value)), active(false) {}
  Dual(V value, V derivative, bool active = true)
      : v(std::move(value)), d(std::move(derivative)), active(active) {}
};

namespace detail {

template <class V>
inline constexpr bool is_block = false;
template <class E>
inline constexpr bool is_block<Block<E>> = true;
template <class V>
inline constexpr bool is_dual = false;
template <class V>
inline constexpr bool is_dual<Dual<V>> = true;

}  // namespace detail

// What a formula computes with besides Tensor.
template <class V>
concept FormulaValue = detail::is_block<V> || detail::is_dual<V>;

template <class V>
Dual<V> operator-(const Dual<V>& a) {
  return {-a.v, a.active ? -a.d : a.d, a.active};
}
template <class V>
Dual<V> operator+(const Dual<V>& a, const Dual<V>& b) {
  V y = a.v + b.v;
  if (!a.active) return {y, b.d, b.active};
  return {y, b.active ? a.d + b.d : a.d};
}
template <class V>
Dual<V> operator-(const Dual<V>& a, const Dual<V>& b) {
  V y = a.v - b.v;
  if (!b.active) return {y, a.d, a.active};
  return {y, a.active ? a.d - b.d : -b.d};
}
template <class V>
Dual<V> operator*(const Dual<V>& a, const Dual<V>& b) {
  V y = a.v * b.v;
  if (!a.active && !b.active) return {y, y, false};
  if (!b.active) return {y, a.d * b.v};
  if (!a.active) return {y, a.v * b.d};
  return {y, a.d * b.v + a.v * b.d};
}
template <class V>
Dual<V> operator/(const Dual<V>& a, const Dual<V>& b) {
  V y = a.v / b.v;
  if (!a.active && !b.active) return {y, y, false};
  if (!b.active) return {y, a.d / b.v};
  if (!a.active) return {y, -(y * b.d) / b.v};
  return {y, (a.d - y * b.d) / b.v};
}
template <class V, Number N>
Dual<V> operator+(const Dual<V>& a, N b) {
  return {a.v + b, a.d, a.active};
}
template <class V, Number N>
Dual<V> operator+(N a, const Dual<V>& b) {
  return {a + b.v, b.d, b.active};
}
template <class V, Number N>
Dual<V> operator-(const Dual<V>& a, N b) {
  return {a.v - b, a.d, a.active};
}
template <class V, Number N>
Dual<V> operator-(N a, const Dual<V>& b) {
  return {a - b.v, b.active ? -b.d : b.d, b.active};
}
template <class V, Number N>
Dual<V> operator*(const Dual<V>& a, N b) {
  return {a.v * b, a.active ? a.d * b : a.d, a.active};
}
template <class V, Number N>
Dual<V> operator*(N a, const Dual<V>& b) {
  return {a * b.v, b.active ? a * b.d : b.d, b.active};
}
template <class V, Number N>
Dual<V> operator/(const Dual<V>& a, N b) {
  return {a.v / b, a.active ? a.d / b : a.d, a.active};
}
template <class V, Number N>
Dual<V> operator/(N a, const Dual<V>& b) {
  V y = a / b.v;
  return {y, b.active ? -(y * b.d) / b.v : y, b.active};
}

// Comparisons look at the values alone.
template <class V, class N>
auto operator<(const Dual<V>& a, const N& b) {
  if constexpr (detail::is_dual<N>) return a.v < b.v;
  else return a.v < b;
}
template <class V, class N>
auto operator<=(const Dual<V>& a, const N& b) {
  if constexpr (detail::is_dual<N>) return a.v <= b.v;
  else return a.v <= b;
}
template <class V, class N>
auto operator>(const Dual<V>& a, const N& b) {
  if constexpr (detail::is_dual<N>) return a.v > b.v;
  else return a.v > b;
}
template <class V, class N>
auto operator>=(const Dual<V>& a, const N& b) {
  if constexpr (detail::is_dual<N>) return a.v >= b.v;
  else return a.v >= b;
}
template <class V, class N>
auto eq(const Dual<V>& a, const N& b) {
  if constexpr (detail::is_dual<N>) return eq(a.v, b.v);
  else return eq(a.v, b);
}

template <class Mask, class V>
Dual<V> where(const Mask& condition, const Dual<V>& a, const Dual<V>& b) {
  V y = where(condition, a.v, b.v);
  if (!a.active && !b.active) return {y, y, false};
  if (!b.active) return {y, where(condition, a.d, 0.0)};
  if (!a.active) return {y, where(condition, 0.0, b.d)};
  return {y, where(condition, a.d, b.d)};
}
template <class Mask, class V, Number N>
Dual<V> where(const Mask& condition, const Dual<V>& a, N b) {
  return {where(condition, a.v, b), a.active ? where(condition, a.d, 0.0) : a.d, a.active};
}
template <class Mask, class V, Number N>
Dual<V> where(const Mask& condition, N a, const Dual<V>& b) {
  return {where(condition, a, b.v), b.active ? where(condition, 0.0, b.d) : b.d, b.active};
}

}  // namespace tapegrad
