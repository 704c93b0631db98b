// The exact values are those of the functions they are named after: at ordinary points the C library agrees.

#include "tests/verify/reference.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

using namespace tapegrad;
using namespace tapegrad::verify;

namespace {

struct Plain {
  std::string_view name;
  double (*f)(double a, double b);
};

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

// clang-format off
const Plain kPlain[] = {
    {"add", [](double a, double b) { return a + b; }},
    {"sub", [](double a, double b) { return a - b; }},
    {"mul", [](double a, double b) { return a * b; }},
    {"div", [](double a, double b) { return a / b; }},
    {"pow", [](double a, double b) { return std::pow(a, b); }},
    {"maximum", [](double a, double b) { return std::max(a, b); }},
    {"minimum", [](double a, double b) { return std::min(a, b); }},
    {"atan2", [](double a, double b) { return std::atan2(a, b); }},
    {"hypot", [](double a, double b) { return std::hypot(a, b); }},
    {"xlogy", [](double a, double b) { return a * std::log(b); }},
    {"logaddexp", [](double a, double b) { return std::log(std::exp(a) + std::exp(b)); }},
    {"neg", [](double x, double) { return -x; }},
    {"abs", [](double x, double) { return std::fabs(x); }},
    {"sign", [](double x, double) { return x < 0 ? -1.0 : 1.0; }},
    {"reciprocal", [](double x, double) { return 1 / x; }},
    {"square", [](double x, double) { return x * x; }},
    {"sqrt", [](double x, double) { return std::sqrt(x); }},
    {"rsqrt", [](double x, double) { return 1 / std::sqrt(x); }},
    {"exp", [](double x, double) { return std::exp(x); }},
    {"exp2", [](double x, double) { return std::exp2(x); }},
    {"expm1", [](double x, double) { return std::expm1(x); }},
    {"log", [](double x, double) { return std::log(x); }},
    {"log2", [](double x, double) { return std::log2(x); }},
    {"log10", [](double x, double) { return std::log10(x); }},
    {"log1p", [](double x, double) { return std::log1p(x); }},
    {"sin", [](double x, double) { return std::sin(x); }},
    {"cos", [](double x, double) { return std::cos(x); }},
    {"tan", [](double x, double) { return std::tan(x); }},
    {"asin", [](double x, double) { return std::asin(x); }},
    {"acos", [](double x, double) { return std::acos(x); }},
    {"atan", [](double x, double) { return std::atan(x); }},
    {"sinh", [](double x, double) { return std::sinh(x); }},
    {"cosh", [](double x, double) { return std::cosh(x); }},
    {"tanh", [](double x, double) { return std::tanh(x); }},
    {"asinh", [](double x, double) { return std::asinh(x); }},
    {"acosh", [](double x, double) { return std::acosh(x); }},
    {"atanh", [](double x, double) { return std::atanh(x); }},
    {"sigmoid", [](double x, double) { return logistic(x); }},
    {"erf", [](double x, double) { return std::erf(x); }},
    {"erfc", [](double x, double) { return std::erfc(x); }},
    {"relu", [](double x, double) { return x > 0 ? x : 0; }},
    {"leaky_relu", [](double x, double) { return x > 0 ? x : 0.01 * x; }},
    {"elu", [](double x, double) { return x > 0 ? x : std::expm1(x); }},
    {"selu", [](double x, double) { return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * std::expm1(x)); }},
    {"softplus", [](double x, double) { return x > 20 ? x : std::log1p(std::exp(x)); }},
    {"silu", [](double x, double) { return x * logistic(x); }},
    {"mish", [](double x, double) { return x * std::tanh(std::log1p(std::exp(x))); }},
    {"gelu", [](double x, double) { return x * std::erfc(-x / std::sqrt(2.0)) / 2; }},
    {"hardtanh", [](double x, double) { return std::clamp(x, -1.0, 1.0); }},
    {"clamp", [](double x, double) { return x; }},  // no bounds by default
    {"floor", [](double x, double) { return std::floor(x); }},
    {"ceil", [](double x, double) { return std::ceil(x); }},
    {"round", [](double x, double) { return std::nearbyint(x); }},
    {"trunc", [](double x, double) { return std::trunc(x); }},
};
// clang-format on

double value(std::string_view name, double a, double b = 0) {
  const Reference* reference = find_reference(name);
  REQUIRE_MESSAGE(reference != nullptr, std::string(name));
  const Real x[] = {a, b};
  return reference->f(x, Numbers({})).nearest<double>();
}

// A pointwise op's options with some numbers and a choice.
struct Options {
  double alpha = 0.5, beta = 2, threshold = 3, negative_slope = 0.25, min = -0.5, max = 0.5;
  Text approximate = "tanh";
  static void fields(auto& self, auto&& f) {
    f("alpha", self.alpha);
    f("beta", self.beta);
    f("threshold", self.threshold);
    f("negative_slope", self.negative_slope);
    f("min", self.min);
    f("max", self.max);
    f("approximate", self.approximate);
  }
};

double with_options(std::string_view name, double x) {
  static const Options options;
  const Real operand[] = {x};
  return find_reference(name)->f(operand, Numbers(options)).nearest<double>();
}

bool near(double a, double b) {
  return std::isnan(a) ? std::isnan(b) : std::fabs(a - b) <= 1e-14 * std::fabs(b);
}

}  // namespace

TEST_CASE("verify/reference: the C library agrees at ordinary points") {
  for (const Plain& plain : kPlain) {
    for (const double a : {-7.25, -2.5, -0.6, 0.3, 0.5, 0.8, 1.5, 3.7, 25.5}) {
      for (const double b : {0.7, 2.0}) {
        INFO(std::string(plain.name) << " at " << a << ", " << b);
        CHECK_MESSAGE(near(value(plain.name, a, b), plain.f(a, b)), value(plain.name, a, b));
      }
    }
  }
}

TEST_CASE("verify/reference: options") {
  CHECK(with_options("leaky_relu", -2) == -0.5);
  CHECK(near(with_options("elu", -2), 0.5 * std::expm1(-2)));
  CHECK(near(with_options("softplus", 1), std::log1p(std::exp(2)) / 2));
  CHECK(with_options("softplus", 1.75) == 1.75);
  CHECK(with_options("clamp", 2) == 0.5);
  CHECK(with_options("clamp", -2) == -0.5);
  const double x = -0.75, u = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
  CHECK(near(with_options("gelu", x), x * (1 + std::tanh(u)) / 2));
}

TEST_CASE("verify/reference: special points") {
  const double inf = std::numeric_limits<double>::infinity();
  for (const char* name : {"silu", "mish", "gelu"}) {
    CHECK(value(name, -inf) == 0);
    CHECK(std::signbit(value(name, -inf)));
    CHECK(value(name, inf) == inf);
  }
  CHECK(value("rsqrt", -0.0) == -inf);
  CHECK(value("round", 2.5) == 2);
  CHECK(value("round", -0.5) == 0);
  CHECK(std::signbit(value("round", -0.5)));
  CHECK(std::signbit(value("sign", -0.0)));
  CHECK_FALSE(std::signbit(value("relu", -0.0)));
  CHECK(value("xlogy", 0, 0) == 0);
  CHECK(std::isnan(value("xlogy", 0, NAN)));
  CHECK(value("logaddexp", -inf, -inf) == -inf);
  CHECK(value("logaddexp", inf, -inf) == inf);
  CHECK(std::isnan(value("maximum", 1, NAN)));
  CHECK(std::isnan(value("clamp", NAN)));
  CHECK(value("pole_mul", 0, -inf) == 0);
  CHECK(value("pole_mul", 2, -inf) == -inf);
  CHECK(value("pole_mul", 2, 3) == 6);
  CHECK(value("pole_div", 0, 0) == 0);
  CHECK(value("pole_div", 2, 0) == inf);
  CHECK(value("pole_div", 3, 2) == 1.5);
  CHECK(find_reference("no_such_function") == nullptr);
}
