// The references of sines, tangents, their inverses and lengths, and of their derivatives.

#include <cmath>

#include "tests/support/reference_parts.h"

namespace tapegrad::testing {
namespace {

double inverse_sine_slope(double x) { return 1 / std::sqrt((1 - x) * (1 + x)); }

// a/√(a² + b²); 0 at (0, 0).
double share(double a, double b) {
  const double length = std::hypot(a, b);
  return length == 0 ? 0 : a / length;
}
// a/(a² + b²); 0 at (0, 0) and at infinity.
double share_of_square(double a, double b) {
  const long double p = a, q = b, squares = p * p + q * q;
  return squares == 0 || std::isinf(squares) ? 0 : static_cast<double>(p / squares);
}

// clang-format off
const ScalarReference kScalars[] = {
    {"sin", 1, [](const double* x) { return std::sin(x[0]); },
     {[](double g, const double* x) { return pole(g, std::cos(x[0])); }}},
    {"cos", 1, [](const double* x) { return std::cos(x[0]); },
     {[](double g, const double* x) { return pole(g, -std::sin(x[0])); }}},
    {"tan", 1, [](const double* x) { return std::tan(x[0]); },
     {[](double g, const double* x) { return pole(g, 1 + std::tan(x[0]) * std::tan(x[0])); }}},
    {"asin", 1, [](const double* x) { return std::asin(x[0]); },
     {[](double g, const double* x) { return pole(g, inverse_sine_slope(x[0])); }}},
    {"acos", 1, [](const double* x) { return std::acos(x[0]); },
     {[](double g, const double* x) { return pole(g, -inverse_sine_slope(x[0])); }}},
    {"atan", 1, [](const double* x) { return std::atan(x[0]); },
     {[](double g, const double* x) { return pole(g, 1 / (1 + x[0] * x[0])); }}},
    {"atan2", 2, [](const double* x) { return std::atan2(x[0], x[1]); },
     {[](double g, const double* x) { return pole(g, share_of_square(x[1], x[0])); },
      [](double g, const double* x) { return pole(g, -share_of_square(x[0], x[1])); }}},
    {"hypot", 2, [](const double* x) { return std::hypot(x[0], x[1]); },
     {[](double g, const double* x) { return pole(g, share(x[0], x[1])); },
      [](double g, const double* x) { return pole(g, share(x[1], x[0])); }}},
    // A function of y alone.
    {"tan_backward", 2, [](const double* x) { return pole(x[0], 1 + x[1] * x[1]); }, {}},
};
// clang-format on

constexpr BackwardName kBackward[] = {
    {"sin_backward", "sin", 0},       {"cos_backward", "cos", 0},       {"asin_backward", "asin", 0},
    {"acos_backward", "acos", 0},     {"atan_backward", "atan", 0},     {"atan2_backward_a", "atan2", 0},
    {"atan2_backward_b", "atan2", 1}, {"hypot_backward_a", "hypot", 0}, {"hypot_backward_b", "hypot", 1},
};

}  // namespace

ScalarTable trigonometric_scalars() { return {kScalars, kBackward}; }

}  // namespace tapegrad::testing
