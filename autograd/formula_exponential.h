#pragma once

#include <limits>
#include <string_view>

#include "autograd/formula.h"

namespace tapegrad {

// Powers, exponentials, logarithms, hyperbolic and error functions; see formula.h.
namespace formula {

inline constexpr double kLn2 = 0.6931471805599453094, kLn10 = 2.302585092994045684;
inline constexpr double kTwoOverSqrtPi = 1.1283791670955125739;

// x where the function is defined, else NaN, as its value is. The sum makes −0 the 0 that it stands for.
auto inside(auto mask, auto x) { return where(mask, x + 0.0, std::numeric_limits<double>::quiet_NaN()); }

struct Reciprocal {
  static constexpr std::string_view name = "reciprocal", backward[] = {"reciprocal_backward"};
  static constexpr Reads reads = Reads::y;
  static auto df(auto, auto y) { return -(y * y); }
};
struct Rsqrt {
  static constexpr std::string_view name = "rsqrt", backward[] = {"rsqrt_backward"};
  static constexpr Reads reads = Reads::y;
  static auto df(auto, auto y) { return y * y * (-0.5 * abs(y)); }
};
struct Exp2 {
  static constexpr std::string_view name = "exp2", backward[] = {"exp2_backward"};
  static constexpr Reads reads = Reads::y;
  static auto df(auto, auto y) { return y * kLn2; }
};
struct Expm1 {
  static constexpr std::string_view name = "expm1", backward[] = {"expm1_backward"};
  static constexpr Reads reads = Reads::x;  // y + 1 would cancel
  static auto df(auto x, auto) { return exp(x); }
};
struct Log2 {
  static constexpr std::string_view name = "log2", backward[] = {"log2_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto) { return 1.0 / kLn2 / inside(x >= 0.0, x); }
};
struct Log10 {
  static constexpr std::string_view name = "log10", backward[] = {"log10_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto) { return 1.0 / kLn10 / inside(x >= 0.0, x); }
};
struct Log1p {
  static constexpr std::string_view name = "log1p", backward[] = {"log1p_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto) { return 1.0 / inside(x >= -1.0, x + 1.0); }
};
struct Sinh {
  static constexpr std::string_view name = "sinh", backward[] = {"sinh_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto) { return cosh(x); }
};
struct Cosh {
  static constexpr std::string_view name = "cosh", backward[] = {"cosh_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto) { return sinh(x); }
};
struct Asinh {
  static constexpr std::string_view name = "asinh", backward[] = {"asinh_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto) {
    auto a = abs(x);
    return where(a > 1e10, 1.0 / a, rsqrt(x * x + 1.0));  // x² may overflow
  }
};
struct Acosh {
  static constexpr std::string_view name = "acosh", backward[] = {"acosh_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto) { return rsqrt(x - 1.0) * rsqrt(x + 1.0); }  // x² − 1 may overflow
};
struct Atanh {
  static constexpr std::string_view name = "atanh", backward[] = {"atanh_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto) {
    auto d = (1.0 - x) * (x + 1.0);
    return 1.0 / inside(d >= 0.0, d);
  }
};
struct Erf {
  static constexpr std::string_view name = "erf", backward[] = {"erf_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto) { return exp(-(x * x)) * kTwoOverSqrtPi; }
};
struct Erfc {
  static constexpr std::string_view name = "erfc", backward[] = {"erfc_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto) { return exp(-(x * x)) * -kTwoOverSqrtPi; }
};
struct Xlogy {
  static constexpr std::string_view name = "xlogy", backward[] = {"xlogy_backward_a", "xlogy_backward_b"};
  static constexpr Reads reads = Reads::x;
  template <int I>
  static auto df(auto x, auto y, auto) {
    if constexpr (I == 0) {
      return log(y);
    } else {
      // x/y, but 0 where x = 0 ≥ y.
      auto slope = x / inside(y >= 0.0, y);
      return where(eq(x, 0.0), where(y <= 0.0, 0.0, slope), slope);
    }
  }
};
struct Logaddexp {
  static constexpr std::string_view name = "logaddexp",
                                    backward[] = {"logaddexp_backward_a", "logaddexp_backward_b"};
  static constexpr Reads reads = Reads::x;
  template <int I>
  static auto df(auto a, auto b, auto) {
    constexpr double kInf = std::numeric_limits<double>::infinity();
    // Not e^(a − y), which at (1e50, 1e50) would give 1 to both. Equal infinities have no difference.
    auto share = I == 0 ? sigmoid(a - b) : sigmoid(b - a);
    return where(eq(a, b), where(eq(a, kInf), 0.5, where(eq(a, -kInf), 0.0, share)), share);
  }
};

}  // namespace formula

template <FormulaValue V>
V reciprocal(const V& x) {
  return detail::evaluate<formula::Reciprocal>(x);
}
template <FormulaValue V>
V rsqrt(const V& x) {
  return detail::evaluate<formula::Rsqrt>(x);
}
template <FormulaValue V>
V exp2(const V& x) {
  return detail::evaluate<formula::Exp2>(x);
}
template <FormulaValue V>
V expm1(const V& x) {
  return detail::evaluate<formula::Expm1>(x);
}
template <FormulaValue V>
V log2(const V& x) {
  return detail::evaluate<formula::Log2>(x);
}
template <FormulaValue V>
V log10(const V& x) {
  return detail::evaluate<formula::Log10>(x);
}
template <FormulaValue V>
V log1p(const V& x) {
  return detail::evaluate<formula::Log1p>(x);
}
template <FormulaValue V>
V sinh(const V& x) {
  return detail::evaluate<formula::Sinh>(x);
}
template <FormulaValue V>
V cosh(const V& x) {
  return detail::evaluate<formula::Cosh>(x);
}
template <FormulaValue V>
V asinh(const V& x) {
  return detail::evaluate<formula::Asinh>(x);
}
template <FormulaValue V>
V acosh(const V& x) {
  return detail::evaluate<formula::Acosh>(x);
}
template <FormulaValue V>
V atanh(const V& x) {
  return detail::evaluate<formula::Atanh>(x);
}
template <FormulaValue V>
V erf(const V& x) {
  return detail::evaluate<formula::Erf>(x);
}
template <FormulaValue V>
V erfc(const V& x) {
  return detail::evaluate<formula::Erfc>(x);
}
template <FormulaValue V>
V xlogy(const V& x, const V& y) {
  return detail::evaluate<formula::Xlogy>(x, y);
}
template <FormulaValue V>
V logaddexp(const V& a, const V& b) {
  return detail::evaluate<formula::Logaddexp>(a, b);
}

namespace math {
using tapegrad::acosh;
using tapegrad::asinh;
using tapegrad::atanh;
using tapegrad::cosh;
using tapegrad::erf;
using tapegrad::erfc;
using tapegrad::exp2;
using tapegrad::expm1;
using tapegrad::log10;
using tapegrad::log1p;
using tapegrad::log2;
using tapegrad::logaddexp;
using tapegrad::reciprocal;
using tapegrad::rsqrt;
using tapegrad::sinh;
using tapegrad::xlogy;
}  // namespace math

}  // namespace tapegrad
