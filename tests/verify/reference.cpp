#include "tests/verify/reference.h"

#include <algorithm>
#include <optional>

namespace tapegrad::verify {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// The elementary functions that the others are made of.
Real exp(const Real& x) { return call<mpfr_exp>(x); }
Real expm1(const Real& x) { return call<mpfr_expm1>(x); }
Real log(const Real& x) { return call<mpfr_log>(x); }
Real log1p(const Real& x) { return call<mpfr_log1p>(x); }
Real sqrt(const Real& x) { return call<mpfr_sqrt>(x); }

template <auto F>
Real unary(const Real* x, const Numbers&) {
  return call<F>(x[0]);
}
template <auto F>
Real binary(const Real* x, const Numbers&) {
  return call<F>(x[0], x[1]);
}
// To an integer; the sign of x stays, also at 0.
template <mpfr_rnd_t Direction>
Real integer(const Real* x, const Numbers&) {
  Real y;
  mpfr_rint(y.raw(), x[0].raw(), Direction);
  return y;
}

Real neg(const Real* x, const Numbers&) { return -x[0]; }
Real abs(const Real* x, const Numbers&) { return x[0].negative() ? -x[0] : x[0]; }
Real sign(const Real* x, const Numbers&) {
  if (x[0].nan() || x[0].zero()) return x[0];
  return x[0].negative() ? -1 : 1;
}
Real reciprocal(const Real* x, const Numbers&) { return 1 / x[0]; }
Real square(const Real* x, const Numbers&) { return x[0] * x[0]; }
Real rsqrt(const Real* x, const Numbers&) { return 1 / sqrt(x[0]); }

// NaN wins; zeros of either sign are equal.
Real larger(const Real& a, const Real& b) { return a.nan() || a > b ? a : b; }
Real smaller(const Real& a, const Real& b) { return a.nan() || a < b ? a : b; }
Real maximum(const Real* x, const Numbers&) { return larger(x[0], x[1]); }
Real minimum(const Real* x, const Numbers&) { return smaller(x[0], x[1]); }

// The products and quotients of gradients at poles: 0 for g = 0 beside what is not finite.
Real pole_mul(const Real* x, const Numbers&) {
  const bool pole = x[0].zero() && (x[1].infinite() || x[1].nan());
  return pole ? Real(0) : x[0] * x[1];
}
Real pole_div(const Real* x, const Numbers&) {
  const bool pole = x[0].zero() && (x[1].zero() || x[1].nan());
  return pole ? Real(0) : x[0] / x[1];
}

// x·ln y, 0 for x = 0 unless y is NaN.
Real xlogy(const Real* x, const Numbers&) {
  if (x[1].nan()) return kNaN;
  return x[0].zero() ? Real(0) : x[0] * log(x[1]);
}
// ln(e^a + e^b).
Real logaddexp(const Real* x, const Numbers&) {
  if (x[0] == x[1] && x[0].infinite()) return x[0];
  if (x[0].nan() || x[1].nan()) return kNaN;
  const Real high = larger(x[0], x[1]), low = smaller(x[0], x[1]);
  return high + log1p(exp(low - high));
}

Real logistic(const Real& x) { return 1 / (1 + exp(-x)); }
Real sigmoid(const Real* x, const Numbers&) { return logistic(x[0]); }

// At −inf these go to 0 from below.
bool vanishes(const Real& x) { return x.infinite() && x.negative(); }

Real relu(const Real* x, const Numbers&) { return x[0].nan() || x[0] > 0 ? x[0] : 0; }
Real leaky_relu(const Real* x, const Numbers& options) {
  return x[0] > 0 ? x[0] : options.real("negative_slope", 0.01) * x[0];
}
Real elu(const Real* x, const Numbers& options) {
  return x[0] > 0 ? x[0] : options.real("alpha", 1) * expm1(x[0]);
}
// The constants of Klambauer et al., "Self-Normalizing Neural Networks", 2017.
Real selu(const Real* x, const Numbers&) {
  static const Real scale = Real::decimal("1.0507009873554804934193349852946");
  static const Real alpha = Real::decimal("1.6732632423543772848170429916717");
  return scale * (x[0] > 0 ? x[0] : alpha * expm1(x[0]));
}
// ln(1 + e^(beta·x)) / beta, and x itself where beta·x > threshold.
Real softplus(const Real* x, const Numbers& options) {
  const Real beta = options.real("beta", 1), z = beta * x[0];
  if (z > options.real("threshold", 20)) return x[0];
  return log1p(exp(z)) / beta;
}
Real silu(const Real* x, const Numbers&) { return vanishes(x[0]) ? Real(-0.0) : x[0] * logistic(x[0]); }
// x·tanh(ln(1 + w)) with w = e^x is x·(w² + 2w) / (w² + 2w + 2).
Real mish(const Real* x, const Numbers&) {
  if (vanishes(x[0])) return -0.0;
  const Real w = exp(x[0]), p = w * (w + 2);
  return p.infinite() ? x[0] : x[0] * (p / (p + 2));
}
Real gelu(const Real* x, const Numbers& options) {
  if (vanishes(x[0])) return -0.0;
  if (options.text("approximate", "none") == "none") {
    return x[0] * (call<mpfr_erfc>(-x[0] / sqrt(2)) / 2);  // x·Φ(x)
  }
  // x·(1 + tanh u)/2 = x/(1 + e^(−2u)) with u = √(2/π)·(x + 0.044715·x³).
  static const Real cubic = Real::decimal("0.044715"), factor = sqrt(2 / call<mpfr_acos>(-1));
  return x[0] * logistic(2 * (factor * (x[0] + cubic * x[0] * x[0] * x[0])));
}
Real hardtanh(const Real* x, const Numbers& options) {
  return smaller(larger(x[0], options.real("min_val", -1)), options.real("max_val", 1));
}
Real clamp(const Real* x, const Numbers& options) {
  return smaller(larger(x[0], options.real("min", -kInf)), options.real("max", kInf));
}

// clang-format off
constexpr Reference kReferences[] = {
    {"add", 2, binary<mpfr_add>},
    {"sub", 2, binary<mpfr_sub>},
    {"mul", 2, binary<mpfr_mul>},
    {"div", 2, binary<mpfr_div>},
    {"pow", 2, binary<mpfr_pow>},  // its special values are those of C
    {"maximum", 2, maximum, false},
    {"minimum", 2, minimum, false},
    {"atan2", 2, binary<mpfr_atan2>},
    {"pole_mul", 2, pole_mul, false},
    {"pole_div", 2, pole_div, false},
    {"hypot", 2, binary<mpfr_hypot>},
    {"xlogy", 2, xlogy, false},
    {"logaddexp", 2, logaddexp, true, true},
    {"neg", 1, neg},
    {"abs", 1, abs},
    {"sign", 1, sign},
    {"reciprocal", 1, reciprocal},
    {"square", 1, square},
    {"sqrt", 1, unary<mpfr_sqrt>},
    {"rsqrt", 1, rsqrt},
    {"exp", 1, unary<mpfr_exp>},
    {"exp2", 1, unary<mpfr_exp2>},
    {"expm1", 1, unary<mpfr_expm1>},
    {"log", 1, unary<mpfr_log>},
    {"log2", 1, unary<mpfr_log2>},
    {"log10", 1, unary<mpfr_log10>},
    {"log1p", 1, unary<mpfr_log1p>},
    {"sin", 1, unary<mpfr_sin>},
    {"cos", 1, unary<mpfr_cos>},
    {"tan", 1, unary<mpfr_tan>},
    {"asin", 1, unary<mpfr_asin>},
    {"acos", 1, unary<mpfr_acos>},
    {"atan", 1, unary<mpfr_atan>},
    {"sinh", 1, unary<mpfr_sinh>},
    {"cosh", 1, unary<mpfr_cosh>},
    {"tanh", 1, unary<mpfr_tanh>},
    {"asinh", 1, unary<mpfr_asinh>},
    {"acosh", 1, unary<mpfr_acosh>},
    {"atanh", 1, unary<mpfr_atanh>},
    {"sigmoid", 1, sigmoid},
    {"erf", 1, unary<mpfr_erf>},
    {"erfc", 1, unary<mpfr_erfc>},
    {"relu", 1, relu},
    {"leaky_relu", 1, leaky_relu},
    {"elu", 1, elu},
    {"selu", 1, selu},
    {"softplus", 1, softplus},
    {"silu", 1, silu},
    {"mish", 1, mish},
    {"gelu", 1, gelu},
    {"hardtanh", 1, hardtanh, false},
    {"clamp", 1, clamp, false},
    {"floor", 1, integer<MPFR_RNDD>},
    {"ceil", 1, integer<MPFR_RNDU>},
    {"round", 1, integer<MPFR_RNDN>},  // halves to the even neighbour
    {"trunc", 1, integer<MPFR_RNDZ>},
};
// clang-format on

}  // namespace

const Reference* find_reference(std::string_view name) {
  const auto* found = std::find_if(std::begin(kReferences), std::end(kReferences),
                                   [&](const Reference& r) { return r.name == name; });
  return found != std::end(kReferences) ? found : nullptr;
}

namespace {

class Reader final : public PassingVisitor {
 public:
  Reader(std::map<std::string, double, std::less<>>& numbers,
         std::map<std::string, std::string, std::less<>>& texts)
      : numbers_(numbers), texts_(texts) {}
  using PassingVisitor::field;
  void field(std::string_view name, double& value) override { numbers_[std::string(name)] = value; }
  void field(std::string_view name, std::optional<double>& value) override {
    if (value) numbers_[std::string(name)] = *value;
  }
  void field(std::string_view name, Text& value) override { texts_[std::string(name)] = value; }
  void choice(std::string_view name, int32_t& value, std::span<const std::string_view> names) override {
    texts_[std::string(name)] = names[static_cast<size_t>(value)];
  }

 private:
  std::map<std::string, double, std::less<>>& numbers_;
  std::map<std::string, std::string, std::less<>>& texts_;
};

}  // namespace

Numbers::Numbers(OptionsRef options) {
  if (options.type == nullptr) return;
  const OptionsBox copy(options);  // visitors may write
  Reader reader(numbers_, texts_);
  options.type->visit(const_cast<void*>(copy.ref().data), reader);
}

Real Numbers::real(std::string_view name, double otherwise) const {
  const auto found = numbers_.find(name);
  return found != numbers_.end() ? found->second : otherwise;
}

std::string_view Numbers::text(std::string_view name, std::string_view otherwise) const {
  const auto found = texts_.find(name);
  return found != texts_.end() ? std::string_view(found->second) : otherwise;
}

}  // namespace tapegrad::verify
