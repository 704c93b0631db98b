// Each rule that lets a disagreement pass, with faults that it must not excuse.

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "autograd/samples.h"
#include "tests/support/planted.h"
#include "tests/support/test_op.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

// A function of one number and the derivative that is claimed, as an op on float64.
struct Claim {
  double (*f)(double);
  double (*df)(double);
};
struct ClaimOp {
  struct Options {
    const Claim* claim = nullptr;
    static void fields(auto&, auto&&) {}
  };
  static constexpr std::string_view name = "claim", doc = "a function and a claim about its derivative";
  static constexpr std::string_view operands[] = {"x"};
  static void shape(Call& call) { call.output(call.dtype(0), call.shape(0)); }
  static void forward(Call& call) {
    for (int64_t i = 0; i < call.numel(0); ++i)
      call.out_data<double>()[i] = call.options<Options>().claim->f(call.data<double>(0)[i]);
  }
  static void vjp(Vjp& v) {
    std::vector<double> slope = v.input_tensor(0).to_vector<double>();
    for (double& x : slope) x = v.options<Options>().claim->df(x);
    v.add(0, v.g() * from_vector(slope, v.shape(0)));
  }
  static Cost cost(const Call&) { return {}; }
  static void samples(Samples&) {}
};

Report check(const Claim& claim, std::vector<double> at, Expected expected = {}) {
  const auto n = static_cast<int64_t>(at.size());
  return gradcheck([&](const Tensor& x) { return apply(op<ClaimOp>, {x}, ClaimOp::Options{&claim}); },
                   {from_vector(at, Shape{n})}, {.structure = false, .locate = false, .expected = expected});
}
Verdict verdict(const Claim& claim, double at, Expected expected = {}) {
  const Report report = check(claim, {at}, expected);
  INFO(report.text());
  CHECK(report.canaries() == report.canaries_caught());
  return report.entries().at(0).verdict;
}

double abs_of(double x) { return std::fabs(x); }
double step_of(double x) { return x < 0 ? -1 : 1; }
double wave(double x) { return std::sin(x); }
double noisy(double x) {
  // Noise of 1e-9, the same for the same x.
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits *= 0x9E3779B97F4A7C15u;
  return std::sin(x) + 1e-9 * (static_cast<double>(bits >> 11) * 0x1p-53 - 0.5);
}

}  // namespace

// Rule: kink
TEST_CASE("autograd/verify/rules: kink_in holds what lies between the sides, at a kink, and nothing else") {
  CHECK(verdict({abs_of, [](double) { return 0.0; }}, 0) == Verdict::kink_in);
  CHECK(verdict({abs_of, [](double) { return 1.0; }}, 0) == Verdict::kink_in);
  CHECK(verdict({abs_of, [](double) { return -1.0; }}, 0) == Verdict::kink_in);
  CHECK(verdict({abs_of, [](double) { return 1.0001; }}, 0) == Verdict::kink_out);
  CHECK(verdict({abs_of, [](double) { return -1.0001; }}, 0) == Verdict::kink_out);
  // A value between the sides where there is no kink: the gap of a bend shrinks with the step.
  CHECK(verdict({abs_of, [](double) { return 0.5; }}, 0.3) == Verdict::disagree);
  CHECK(verdict({abs_of, [](double) { return 0.5; }}, 1e-3) == Verdict::disagree);
  CHECK(verdict({[](double x) { return x * x; }, [](double) { return 1e-3; }}, 0) == Verdict::disagree);
  CHECK(verdict({[](double x) { return x * x * 1e6; }, [](double) { return 10.0; }}, 0) == Verdict::disagree);
  CHECK(verdict({[](double x) { return std::pow(std::fabs(x), 1.5); }, [](double) { return 0.1; }}, 0) ==
        Verdict::disagree);
  // Not where kinks are not expected.
  CHECK_FALSE(check({abs_of, [](double) { return 0.0; }}, {0}, {.kinks = false}).ok());
  CHECK(check({abs_of, [](double) { return 0.0; }}, {0}).ok());
}

// Rule: entries of a direction
TEST_CASE(
    "autograd/verify/rules: a direction through several kinks is excused by its entries, and by them only") {
  const auto along = [](double (*f)(double), double (*df)(double), std::vector<double> at, uint64_t seed,
                        bool kinks = true) {
    static Claim claim;
    claim = {f, df};
    const auto n = static_cast<int64_t>(at.size());
    return gradcheck([&](const Tensor& x) { return apply(op<ClaimOp>, {x}, ClaimOp::Options{&claim}); },
                     {from_vector(at, Shape{n})},
                     {.seed = seed,
                      .mode = GradcheckMode::projection,
                      .structure = false,
                      .locate = false,
                      .expected = {.kinks = kinks}});
  };
  const auto kinked = [](double x) { return std::max(x, 0.0); };
  const auto right = [](double x) { return x > 0 ? 1.0 : 0.0; };
  const std::vector<double> few = {0, 0, 0, 0.7, -1.2, 0}, one = {0, 0.5, -0.3};
  std::vector<double> many(60);
  for (size_t i = 0; i < many.size(); ++i) many[i] = i % 3 == 0 ? 0.0 : static_cast<double>(i) - 30.5;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    INFO(seed);
    for (const std::vector<double>& at : {few, one, many}) {
      const Report report = along(kinked, right, at, seed);
      CHECK_MESSAGE(report.ok(), report.text());
      CHECK_FALSE(along(kinked, right, at, seed, /*kinks=*/false).ok());
      // Wrong beside the kinks.
      CHECK_FALSE(along(
                      kinked, [](double x) { return x > 0 ? 1.001 : 0.0; }, at, seed)
                      .ok());
      CHECK_FALSE(along(
                      kinked, [](double x) { return x > 0   ? 1.0
                                                    : x < 0 ? 0.001
                                                            : 0.0; }, at, seed)
                      .ok());
    }
    // Wrong at one.
    CHECK_FALSE(along(
                    kinked, [](double x) { return x > 0   ? 1.0
                                                  : x < 0 ? 0.0
                                                          : 1.01; }, one, seed)
                    .ok());
    // A bend is no kink, however many there are.
    const auto bend = [](double x) { return std::pow(std::fabs(x), 1.5); };
    CHECK_FALSE(along(
                    bend,
                    [](double x) { return x == 0 ? 0.1 : 1.5 * std::copysign(std::sqrt(std::fabs(x)), x); },
                    few, seed)
                    .ok());
  }
}

TEST_CASE("autograd/verify/rules: an op without the flag has no kink to be excused by") {
  const Sample sample{{tensor({0.0, 1.0}, float64)}, {}};
  Op plain = *find_op("relu");
  CHECK(gradcheck(plain, sample).ok());
  plain.flags.kinks = false;
  CHECK_FALSE(gradcheck(plain, sample).ok());
}

// Rule: second opinion
TEST_CASE("autograd/verify/rules: a second opinion overturns only what it excludes") {
  // Every step of the first ladders is a whole number of half waves, so that they do not see the wave.
  static constexpr double kFast = 6.283185307179586 * 2048;
  const auto f = [](double x) { return x + 1e-4 * std::sin(kFast * (x - 1)); };
  const auto right = [](double x) { return 1 + 1e-4 * kFast * std::cos(kFast * (x - 1)); };
  CHECK(check({f, right}, {1.0}).ok());
  for (double factor : {1.001, 0.999, 2.0, -1.0}) {
    INFO(factor);
    static double by;
    by = factor;
    CHECK_FALSE(
        check({f, [](double x) { return by * (1 + 1e-4 * kFast * std::cos(kFast * (x - 1))); }}, {1.0}).ok());
  }
  // Smooth functions: no second opinion saves a wrong factor.
  for (double factor : {1 + 1e-6, 1 - 1e-6, 1 + 1e-4}) {
    static double by;
    by = factor;
    for (double at : {0.1, 1.0, 2.5, 30.0}) {
      CHECK(verdict({wave, [](double x) { return by * std::cos(x); }}, at) == Verdict::disagree);
    }
  }
}

// Rule: jump
TEST_CASE("autograd/verify/rules: a jump passes where it is declared, at the jump") {
  const auto zero = [](double) { return 0.0; };
  CHECK(verdict({step_of, zero}, 0) == Verdict::jump);
  CHECK_FALSE(check({step_of, zero}, {0, 1}, {.zero_gradient = true}).ok());
  CHECK(check({step_of, zero}, {0, 1}, {.jump = true, .zero_gradient = true}).ok());
  // Elsewhere it excuses nothing, however close.
  const auto wrong = [](double) { return 0.01; };
  for (double at : {1.0, 0.1, 1e-3}) {
    INFO(at);
    CHECK_FALSE(check({step_of, wrong}, {at}, {.jump = true}).ok());
    CHECK_FALSE(check({wave, [](double x) { return std::cos(x) + 0.01; }}, {at}, {.jump = true}).ok());
  }
}

// Rule: zero gradient
TEST_CASE("autograd/verify/rules: a gradient of 0 everywhere must be declared, and true") {
  const auto zero = [](double) { return 0.0; };
  const auto flat = [](double) { return 3.0; };
  const Report undeclared = check({flat, zero}, {1, 2});
  CHECK_FALSE(undeclared.ok());
  REQUIRE(undeclared.faults().size() == 1);
  CHECK(undeclared.faults()[0].verdict == Verdict::vacuous);
  CHECK(check({flat, zero}, {1, 2}, {.zero_gradient = true}).ok());
  CHECK_FALSE(check({wave, zero}, {1, 2}, {.zero_gradient = true}).ok());
  CHECK_FALSE(check({flat, [](double) { return 1e-9; }}, {1, 2}, {.zero_gradient = true}).ok());
}

// Rule: nonfinite
TEST_CASE("autograd/verify/rules: what is not finite passes where it is declared, and is so") {
  const auto root = [](double x) { return std::sqrt(x); };
  const auto slope = [](double x) { return 0.5 / std::sqrt(x); };
  CHECK(verdict({root, slope}, 0) == Verdict::nonfinite);
  CHECK_FALSE(check({root, slope}, {0}).ok());
  CHECK(check({root, slope}, {0, 1}, {.nonfinite = true}).ok());
  // A NaN where the function is smooth is wrong, declared or not; so is a wrong number.
  CHECK(verdict({root, [](double) { return double(NAN); }}, 1, {.nonfinite = true}) == Verdict::disagree);
  CHECK(verdict({root, [](double) { return 0.51; }}, 1, {.nonfinite = true}) == Verdict::disagree);
  CHECK_FALSE(check({wave, [](double) { return double(INFINITY); }}, {1}, {.nonfinite = true}).ok());
  CHECK_FALSE(check({[](double) { return double(NAN); }, slope}, {1}).ok());
}

// Rule: zero
TEST_CASE("autograd/verify/rules: zero as far as can be resolved, and not further") {
  // Large values, no slope to speak of: rounding of values near 1e6 hides what is below 1e-9 or so.
  const auto f = [](double x) { return 1e6 + x * x; };
  CHECK(check({f, [](double x) { return 2 * x; }}, {0, 1}).ok());
  for (double wrong : {1e-6, 1e-5, -1e-4}) {
    static double by;
    by = wrong;
    INFO(wrong);
    CHECK_FALSE(check({f, [](double x) { return 2 * x + by; }}, {0, 1}).ok());
  }
  // A tiny gradient is not zero.
  const auto tiny = [](double x) { return 1e-9 * std::sin(x); };
  CHECK_FALSE(check({tiny, [](double) { return 0.0; }}, {0.5}, {.zero_gradient = true}).ok());
  CHECK_FALSE(check({tiny, [](double x) { return 1.01e-9 * std::cos(x); }}, {0.5}).ok());
  CHECK(check({tiny, [](double x) { return 1e-9 * std::cos(x); }}, {0.5}).ok());
}

// Rule: next to zero
TEST_CASE("autograd/verify/rules: terms that cancel are no disagreement, and excuse none") {
  // −log of a probability next to 1, as a difference of two numbers near 30: 1e-12 with the rounding errors
  // of 30.
  const auto f = [](double x) { return (x + std::log1p(std::exp(-x))) - x; };
  const auto right = [](double x) { return -std::exp(-x) / (1 + std::exp(-x)); };
  for (double at : {25.0, 27.1, 29.3, 35.0}) {
    INFO(at);
    const Report report = check({f, right}, {at}, {.zero_gradient = true});
    CHECK_MESSAGE(report.ok(), report.text());
    for (double wrong : {1e-9, -1e-8, 1e-6}) {
      static double by;
      by = wrong;
      CHECK_FALSE(check({f, [](double x) { return by - std::exp(-x); }}, {at}, {.zero_gradient = true}).ok());
    }
  }
}

// Rule: measured noise
TEST_CASE("autograd/verify/rules: noise is measured, and does not hide a fault larger than itself") {
  const Report right = check({noisy, [](double x) { return std::cos(x); }}, {0.3, 0.7, 1.1});
  for (const CheckedEntry& entry : right.entries()) {
    // Either the bar is honest, or it says that it cannot tell.
    CHECK(std::fabs(entry.gradient - entry.difference) <= entry.bar);
    CHECK((entry.verdict == Verdict::agree || entry.verdict == Verdict::noisy));
  }
  const Report wrong = check({noisy, [](double x) { return 1.001 * std::cos(x); }}, {0.3, 0.7, 1.1});
  for (const CheckedEntry& entry : wrong.entries()) CHECK_FALSE(entry.passed);
}

TEST_CASE("autograd/verify/rules: accepting early leaves no room for a part in a million") {
  for (double at : {1e-3, 0.1, 1.0, 30.0}) {
    const auto f = [](double x) { return std::exp(-x) + x; };
    const auto right = [](double x) { return 1 - std::exp(-x); };
    INFO(at);
    const Report ok = check({f, right}, {at});
    CHECK_MESSAGE(ok.ok(), ok.text());
    CHECK_FALSE(check({f, [](double x) { return (1 + 1e-6) * (1 - std::exp(-x)); }}, {at}).ok());
  }
}

TEST_CASE("autograd/verify/rules: every derivative that agrees has a canary, and it is called wrong") {
  const Report report = check({wave, [](double x) { return std::cos(x); }}, {0.1, 0.2, 0.3});
  CHECK(report.ok());
  CHECK(report.canaries() == 3);
  CHECK(report.canaries_caught() == 3);
}
