// The references of powers, exponentials, logarithms, hyperbolic and error functions, and of their
// derivatives.

#include <cmath>
#include <limits>

#include "tests/support/reference_parts.h"

namespace tapegrad::testing {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr long double kPi = 3.14159265358979323846264L;

// scale/x where x ≥ 0, as the slope of a logarithm.
double log_slope(double x, double scale) { return x >= 0 ? scale / std::fabs(x) : kNan; }

double erf_slope(double x) {
  const long double square = static_cast<long double>(x) * x;
  return static_cast<double>(2 / std::sqrt(kPi) * std::exp(-square));
}

double xlogy(double x, double y) { return x == 0 && !std::isnan(y) ? 0 : x * std::log(y); }
double xlogy_slope_y(double x, double y) { return x == 0 && y <= 0 ? 0 : x * log_slope(y, 1); }

double logaddexp(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return kNan;
  if (a == b) return a + std::log(2.0);
  return std::fmax(a, b) + std::log1p(std::exp(-std::fabs(a - b)));
}
// Of the first.
double logaddexp_slope(double a, double b) {
  if (a == b && std::isinf(a)) return a > 0 ? 0.5 : 0;
  return 1 / (1 + std::exp(b - a));
}

// In long double, since rounding an exponent counts as many times as it is large. The limits where one factor
// is infinite and the other 0.
double gelu(double x) {
  return x == -kInf ? 0 : static_cast<double>(x * std::erfc(-x / std::sqrt(2.0L)) / 2);
}
double gelu_slope(double input) {
  if (std::isinf(input)) return input > 0;
  const long double x = input;
  return static_cast<double>(std::erfc(-x / std::sqrt(2.0L)) / 2 +
                             x * std::exp(-x * x / 2) / std::sqrt(2 * kPi));
}
// v = 2√(2/π)·(x + 0.044715·x³), by which σ(v) is (1 + tanh(v/2))/2, and its derivative.
long double tanh_argument(long double x) { return 2 * std::sqrt(2 / kPi) * (x + 0.044715L * x * x * x); }
long double tanh_argument_slope(long double x) {
  return 2 * std::sqrt(2 / kPi) * (1 + 3 * 0.044715L * x * x);
}
double gelu_tanh(double x) {
  return x == -kInf ? 0 : static_cast<double>(x / (1 + std::exp(-tanh_argument(x))));
}
double gelu_tanh_slope(double x) {
  if (std::isinf(x)) return x > 0;
  const long double v = tanh_argument(x), rise = 1 / (1 + std::exp(-v)), rest = 1 / (1 + std::exp(v));
  return static_cast<double>(rise + x * tanh_argument_slope(x) * rise * rest);
}

// clang-format off
const ScalarReference kScalars[] = {
    {"reciprocal", 1, [](const double* x) { return 1 / x[0]; },
     {[](double g, const double* x) { return pole(g, -1 / x[0] / x[0]); }}},
    {"rsqrt", 1, [](const double* x) { return 1 / std::sqrt(x[0]); },
     {[](double g, const double* x) { return pole(g, -0.5 / std::fabs(x[0]) / std::fabs(std::sqrt(x[0]))); }}},
    {"exp2", 1, [](const double* x) { return std::exp2(x[0]); },
     {[](double g, const double* x) { return pole(g, std::exp2(x[0]) * std::log(2.0)); }}},
    {"expm1", 1, [](const double* x) { return std::expm1(x[0]); },
     {[](double g, const double* x) { return pole(g, std::exp(x[0])); }}},
    {"log2", 1, [](const double* x) { return std::log2(x[0]); },
     {[](double g, const double* x) { return pole(g, log_slope(x[0], 1 / std::log(2.0))); }}},
    {"log10", 1, [](const double* x) { return std::log10(x[0]); },
     {[](double g, const double* x) { return pole(g, log_slope(x[0], 1 / std::log(10.0))); }}},
    {"log1p", 1, [](const double* x) { return std::log1p(x[0]); },
     {[](double g, const double* x) { return pole(g, log_slope(1 + x[0], 1)); }}},
    {"sinh", 1, [](const double* x) { return std::sinh(x[0]); },
     {[](double g, const double* x) { return pole(g, std::cosh(x[0])); }}},
    {"cosh", 1, [](const double* x) { return std::cosh(x[0]); },
     {[](double g, const double* x) { return pole(g, std::sinh(x[0])); }}},
    {"asinh", 1, [](const double* x) { return std::asinh(x[0]); },
     {[](double g, const double* x) { return pole(g, 1 / std::hypot(1, x[0])); }}},
    {"acosh", 1, [](const double* x) { return std::acosh(x[0]); },
     {[](double g, const double* x) { return pole(g, 1 / (std::sqrt(x[0] - 1) * std::sqrt(x[0] + 1))); }}},
    {"atanh", 1, [](const double* x) { return std::atanh(x[0]); },
     {[](double g, const double* x) { return pole(g, log_slope((1 - x[0]) * (1 + x[0]), 1)); }}},
    {"erf", 1, [](const double* x) { return std::erf(x[0]); },
     {[](double g, const double* x) { return pole(g, erf_slope(x[0])); }}},
    {"erfc", 1, [](const double* x) { return std::erfc(x[0]); },
     {[](double g, const double* x) { return pole(g, -erf_slope(x[0])); }}},
    {"xlogy", 2, [](const double* x) { return xlogy(x[0], x[1]); },
     {[](double g, const double* x) { return pole(g, std::log(x[1])); },
      [](double g, const double* x) { return pole(g, xlogy_slope_y(x[0], x[1])); }}},
    {"logaddexp", 2, [](const double* x) { return logaddexp(x[0], x[1]); },
     {[](double g, const double* x) { return pole(g, logaddexp_slope(x[0], x[1])); },
      [](double g, const double* x) { return pole(g, logaddexp_slope(x[1], x[0])); }}},
    {"gelu", 1, [](const double* x) { return x[1] != 0 ? gelu_tanh(x[0]) : gelu(x[0]); },
     {[](double g, const double* x) { return pole(g, x[1] != 0 ? gelu_tanh_slope(x[0]) : gelu_slope(x[0])); }},
     {"approximate"}},
    // Derivatives that are functions of y alone.
    {"reciprocal_backward", 2, [](const double* x) { return pole(x[0], -x[1] * x[1]); }, {}},
    {"rsqrt_backward", 2, [](const double* x) { return pole(x[0], -0.5 * x[1] * x[1] * std::fabs(x[1])); }, {}},
    {"exp2_backward", 2, [](const double* x) { return pole(x[0], x[1] * std::log(2.0)); }, {}},
};
// clang-format on

constexpr BackwardName kBackward[] = {
    {"expm1_backward", "expm1", 0},
    {"log2_backward", "log2", 0},
    {"log10_backward", "log10", 0},
    {"log1p_backward", "log1p", 0},
    {"sinh_backward", "sinh", 0},
    {"cosh_backward", "cosh", 0},
    {"asinh_backward", "asinh", 0},
    {"acosh_backward", "acosh", 0},
    {"atanh_backward", "atanh", 0},
    {"erf_backward", "erf", 0},
    {"erfc_backward", "erfc", 0},
    {"xlogy_backward_a", "xlogy", 0},
    {"xlogy_backward_b", "xlogy", 1},
    {"logaddexp_backward_a", "logaddexp", 0},
    {"logaddexp_backward_b", "logaddexp", 1},
};

}  // namespace

ScalarTable exponential_scalars() { return {kScalars, kBackward}; }

}  // namespace tapegrad::testing
