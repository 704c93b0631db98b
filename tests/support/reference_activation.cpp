// References of activations, clamp, rounding and the predicates of single numbers. The slopes of silu and
// mish in long double, since near their zeros they lose digits.

#include <cmath>

#include "tests/support/reference_parts.h"

namespace tapegrad::testing {
namespace {

constexpr double kSeluAlpha = 1.6732632423543772848, kSeluScale = 1.0507009873554804934;

double elu(double x, double alpha) { return x > 0 ? x : alpha * std::expm1(x); }
double elu_slope(double x, double alpha) { return x <= 0 ? alpha * std::exp(x) : 1; }

double softplus(double x, double beta, double threshold) {
  if (beta * x > threshold) return x;
  return (std::fmax(beta * x, 0.0) + std::log1p(std::exp(-std::fabs(beta * x)))) / beta;
}

// e^−|x| in a range that holds more than the doubles'.
long double decay(long double x) { return std::exp(-std::fabs(x)); }

double silu(double x) {
  if (std::isinf(x)) return x > 0 ? x : -0.0;
  const long double e = decay(x);
  return static_cast<double>(x * (x < 0 ? e : 1) / (1 + e));
}
double silu_slope(double x) {
  if (std::isinf(x)) return x > 0;
  const long double e = decay(x), s = (x < 0 ? e : 1) / (1 + e), q = (x < 0 ? 1 : e) / (1 + e);
  return static_cast<double>(s * (1 + x * q));
}

// tanh(ln(1 + e^x)) = ((1 + e^x)² − 1)/((1 + e^x)² + 1).
long double mish_factor(long double x) {
  const long double e = decay(x);
  return x < 0 ? e * (e + 2) / (e * (e + 2) + 2) : (1 + 2 * e) / (1 + 2 * e + 2 * e * e);
}
double mish(double x) {
  if (std::isinf(x)) return x > 0 ? x : -0.0;
  return static_cast<double>(x * mish_factor(x));
}
double mish_slope(double x) {
  if (std::isinf(x)) return x > 0;
  const long double e = decay(x), s = (x < 0 ? e : 1) / (1 + e), t = mish_factor(x);
  // 1 − t² with its digits where t is near 1.
  const long double rest = x < 0 ? (1 - t) * (1 + t) : 2 * e * e / (1 + 2 * e + 2 * e * e) * (1 + t);
  return static_cast<double>(t + x * s * rest);
}

double clamp(double x, double low, double high) {
  if (x < low) x = low;
  return x > high ? high : x;
}

// clang-format off
const ScalarReference kScalars[] = {
    {"leaky_relu", 1, [](const double* x) { return x[0] > 0 ? x[0] : x[0] * x[1]; },
     {[](double g, const double* x) { return x[0] > 0 ? g : g * x[1]; }}, {"negative_slope"}},
    {"elu", 1, [](const double* x) { return elu(x[0], x[1]); },
     {[](double g, const double* x) { return pole(g, elu_slope(x[0], x[1])); }}, {"alpha"}},
    {"selu", 1, [](const double* x) { return kSeluScale * elu(x[0], kSeluAlpha); },
     {[](double g, const double* x) { return pole(g, kSeluScale * elu_slope(x[0], kSeluAlpha)); }}},
    {"softplus", 1, [](const double* x) { return softplus(x[0], x[1], x[2]); },
     {[](double g, const double* x) { return pole(g, x[1] * x[0] > x[2] ? 1 : sigmoid(x[1] * x[0])); }},
     {"beta", "threshold"}},
    {"silu", 1, [](const double* x) { return silu(x[0]); },
     {[](double g, const double* x) { return pole(g, silu_slope(x[0])); }}},
    {"mish", 1, [](const double* x) { return mish(x[0]); },
     {[](double g, const double* x) { return pole(g, mish_slope(x[0])); }}},
    {"hardtanh", 1, [](const double* x) { return clamp(x[0], x[1], x[2]); },
     {[](double g, const double* x) { return x[0] <= x[1] || x[0] >= x[2] ? 0 : g; }}, {"min_val", "max_val"}},
    {"clamp", 1, [](const double* x) { return clamp(x[0], x[1], x[2]); },
     {[](double g, const double* x) { return std::isnan(x[0]) || x[0] < x[1] || x[0] > x[2] ? 0 : g; }},
     {"min", "max"}},
    {"floor", 1, [](const double* x) { return std::floor(x[0]); }, {[](double, const double*) { return 0.0; }}},
    {"ceil", 1, [](const double* x) { return std::ceil(x[0]); }, {[](double, const double*) { return 0.0; }}},
    {"round", 1, [](const double* x) { return std::nearbyint(x[0]); }, {[](double, const double*) { return 0.0; }}},
    {"trunc", 1, [](const double* x) { return std::trunc(x[0]); }, {[](double, const double*) { return 0.0; }}},
    {"isnan", 1, [](const double* x) { return double(std::isnan(x[0])); }, {}},
    {"isinf", 1, [](const double* x) { return double(std::isinf(x[0])); }, {}},
    {"isfinite", 1, [](const double* x) { return double(std::isfinite(x[0])); }, {}},
    {"logical_not", 1, [](const double* x) { return double(x[0] == 0); }, {}},
    {"logical_and", 2, [](const double* x) { return double(x[0] != 0 && x[1] != 0); }, {}},
    {"logical_or", 2, [](const double* x) { return double(x[0] != 0 || x[1] != 0); }, {}},
    {"logical_xor", 2, [](const double* x) { return double((x[0] != 0) != (x[1] != 0)); }, {}},
};
// clang-format on

}  // namespace

ScalarTable activation_scalars() { return {kScalars, {}}; }

}  // namespace tapegrad::testing
