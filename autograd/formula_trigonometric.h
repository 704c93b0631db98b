#pragma once

#include "autograd/formula.h"

namespace tapegrad {

// Sines, tangents, their inverses and lengths as primitives of formulas; see formula.h.
namespace formula {

struct Sin {
  static constexpr std::string_view name = "sin", backward[] = {"sin_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto) { return cos(x); }
};
struct Cos {
  static constexpr std::string_view name = "cos", backward[] = {"cos_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto) { return -sin(x); }
};
struct Tan {
  static constexpr std::string_view name = "tan", backward[] = {"tan_backward"};
  static constexpr Reads reads = Reads::y;
  static auto df(auto, auto y) { return 1.0 + y * y; }
};
struct Asin {
  static constexpr std::string_view name = "asin", backward[] = {"asin_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto) { return 1.0 / sqrt((1.0 - x) * (1.0 + x)); }
};
struct Acos {
  static constexpr std::string_view name = "acos", backward[] = {"acos_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto) { return -1.0 / sqrt((1.0 - x) * (1.0 + x)); }
};
struct Atan {
  static constexpr std::string_view name = "atan", backward[] = {"atan_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto) { return 1.0 / (1.0 + x * x); }
};
struct Atan2 {
  static constexpr std::string_view name = "atan2", backward[] = {"atan2_backward_a", "atan2_backward_b"};
  static constexpr Reads reads = Reads::x;
  template <int I>
  static auto df(auto y, auto x, auto) {
    // Divided by the length twice: its square may overflow or vanish.
    auto r = hypot(y, x);
    if constexpr (I == 0) return where(eq(r, 0.0), r, x / r / r);
    else return where(eq(r, 0.0), r, -y / r / r);
  }
};
struct Hypot {
  static constexpr std::string_view name = "hypot", backward[] = {"hypot_backward_a", "hypot_backward_b"};
  static constexpr Reads reads = Reads::x_and_y;
  template <int I>
  static auto df(auto a, auto b, auto y) {
    if constexpr (I == 0) return where(eq(y, 0.0), y, a / y);
    else return where(eq(y, 0.0), y, b / y);
  }
};

}  // namespace formula

template <FormulaValue V>
V sin(const V& x) {
  return detail::evaluate<formula::Sin>(x);
}
template <FormulaValue V>
V cos(const V& x) {
  return detail::evaluate<formula::Cos>(x);
}
template <FormulaValue V>
V tan(const V& x) {
  return detail::evaluate<formula::Tan>(x);
}
template <FormulaValue V>
V asin(const V& x) {
  return detail::evaluate<formula::Asin>(x);
}
template <FormulaValue V>
V acos(const V& x) {
  return detail::evaluate<formula::Acos>(x);
}
template <FormulaValue V>
V atan(const V& x) {
  return detail::evaluate<formula::Atan>(x);
}
template <FormulaValue V>
V atan2(const V& y, const V& x) {
  return detail::evaluate<formula::Atan2>(y, x);
}
template <FormulaValue V>
V hypot(const V& a, const V& b) {
  return detail::evaluate<formula::Hypot>(a, b);
}

namespace math {
using tapegrad::acos;
using tapegrad::asin;
using tapegrad::atan;
using tapegrad::atan2;
using tapegrad::cos;
using tapegrad::hypot;
using tapegrad::sin;
using tapegrad::tan;
}  // namespace math

}  // namespace tapegrad
