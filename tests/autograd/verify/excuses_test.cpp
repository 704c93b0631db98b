// More rules that let a disagreement pass, with faults that they must not excuse: those of kinks and jumps
// near the point, of directions whose parts decide, of terms that cancel, and of records that cannot be told.

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/samples.h"
#include "tests/support/planted.h"
#include "tests/support/test_op.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

// y = f(x) with the derivative df(x) + off(x).
struct Claimed {
  double (*f)(double);
  double (*df)(double);
  double (*off)(double) = [](double) { return 0.0; };
};
struct ClaimedOp : DoublingOp {
  struct Options {
    const Claimed* claim = nullptr;
    static void fields(auto&, auto&&) {}
  };
  static constexpr std::string_view name = "claimed";
  static void forward(Call& call) {
    for (int64_t i = 0; i < call.numel(0); ++i)
      call.out_data<double>()[i] = call.options<Options>().claim->f(call.data<double>(0)[i]);
  }
  static void vjp(Vjp& v) {
    const Claimed& claim = *v.options<Options>().claim;
    std::vector<double> slope = v.input_tensor(0).to_vector<double>();
    for (double& x : slope) x = claim.df(x) + claim.off(x);
    v.add(0, v.g() * from_vector(slope, v.shape(0)));
  }
};

Report check(const Claimed& claim, std::vector<double> at, GradcheckOptions options = {}) {
  options.structure = options.locate = false;
  const auto n = static_cast<int64_t>(at.size());
  return gradcheck([&](const Tensor& x) { return apply(op<ClaimedOp>, {x}, ClaimedOp::Options{&claim}); },
                   {from_vector(at, Shape{n})}, options);
}

// (a·b + 1e-12·a) − a·b: its derivative by a has the rounding errors of a·b. The claim is off by a given
// number.
struct Products {
  struct Options {
    double off = 0;
    static void fields(auto& self, auto&& f) { f("off", self.off); }
  };
  static constexpr std::string_view name = "products", doc = "products that cancel";
  static constexpr std::string_view operands[] = {"a", "b"};
  static void shape(Call& call) { call.output(call.dtype(0), call.shape(0)); }
  static void forward(Call& call) {
    const double *a = call.data<double>(0), *b = call.data<double>(1);
    for (int64_t i = 0; i < call.numel(0); ++i)
      call.out_data<double>()[i] = (a[i] * b[i] + 1e-12 * a[i]) - a[i] * b[i];
  }
  static void vjp(Vjp& v) {
    v.add(0, (1e-12 + v.options<Options>().off) * v.g());
    v.add(1, 0.0 * v.g());
  }
  static Cost cost(const Call&) { return {}; }
  static void samples(Samples&) {}
};

// y = 2x, with a VJP that is not linear in the cotangent by a given part of it.
struct Crooked : DoublingOp {
  struct Options {
    double part = 0;
    static void fields(auto& self, auto&& f) { f("part", self.part); }
  };
  static constexpr std::string_view name = "crooked";
  static void vjp(Vjp& v) { v.add(0, 2.0 * v.g() + v.options<Options>().part * abs(v.g())); }
};

}  // namespace

// Rule: bend
TEST_CASE(
    "autograd/verify/excuses: a kink closer than the steps widens the bar, and excuses no wrong slope") {
  const auto bent = [](double x) { return x > 0 ? 3 * x : -x; };
  const auto right = [](double x) { return x > 0 ? 3.0 : -1.0; };
  for (double at : {1e-3, -1e-3, 1e-6, -1e-6}) {
    INFO(at);
    // Beside an entry of size 1, steps are a hundredth of that.
    const Report report = check({bent, right}, {at, 1.0});
    CHECK_MESSAGE(report.ok(), report.text());
    CHECK(report.entries()[0].verdict == Verdict::agree);
    for (double (*off)(double) : {+[](double x) { return x < 0.5 ? 1e-5 : 0.0; },
                                  +[](double x) { return x < 0.5 ? (x > 0 ? -2.0 : 2.0) : 0.0; },
                                  +[](double x) { return x < 0.5 ? (x > 0 ? -4.0 : 4.0) : 0.0; }}) {
      CHECK_FALSE(check({bent, right, off}, {at, 1.0}).ok());
      CHECK_FALSE(check({bent, right, off}, {at, 1.0}, {.mode = GradcheckMode::projection}).ok());
    }
  }
}

// Rule: jump
TEST_CASE(
    "autograd/verify/excuses: a jump excuses neither the slope of the side that is continuous nor others") {
  const auto jumping = [](double x) { return x >= 0 ? 2 * x + 1 : 2 * x; };
  const auto slope = [](double) { return 2.0; };
  const auto at_jump = [](double x) { return x == 0 ? 0.1 : 0.0; };
  const auto beside = [](double x) { return x == 0 ? 0.0 : 1e-4; };
  const std::vector<double> at = {0.0, 0.7, 0.3, 2.2};
  for (GradcheckMode mode : {GradcheckMode::entry, GradcheckMode::projection}) {
    const GradcheckOptions options{.mode = mode, .expected = {.jump = true}};
    const Report report = check({jumping, slope}, at, options);
    CHECK_MESSAGE(report.ok(), report.text());
    CHECK_FALSE(check({jumping, slope, at_jump}, at, options).ok());
    CHECK_FALSE(check({jumping, slope, beside}, at, options).ok());
  }
}

// Rule: nonfinite
TEST_CASE("autograd/verify/excuses: a direction through a pole is decided by the other entries") {
  const auto root = [](double x) { return std::sqrt(x); };
  const auto slope = [](double x) { return 0.5 / std::sqrt(x); };
  const auto beside = [](double x) { return x == 0 ? 0.0 : 1e-4; };
  const GradcheckOptions options{.mode = GradcheckMode::projection, .expected = {.nonfinite = true}};
  const Report report = check({root, slope}, {0.0, 1.0, 0.4}, options);
  CHECK_MESSAGE(report.ok(), report.text());
  CHECK_FALSE(check({root, slope, beside}, {0.0, 1.0, 0.4}, options).ok());
}

// Rule: ties
TEST_CASE("autograd/verify/excuses: what lies between the sides of a tie must be right along the tie") {
  const Tensor x = Rng(3).normal({3, 4}, float64);
  const Op& maximum = *find_op("maximum");
  const Report report = gradcheck(maximum, Sample{{x, x}, {}}, {.structure = false});
  CHECK_MESSAGE(report.ok(), report.text());
  for (Fault fault : {Fault::slightly, Fault::half, Fault::one_entry, Fault::clamped_cotangent,
                      Fault::float32_inside, Fault::off_by_one}) {
    INFO(std::string(name(fault)));
    const PlantedOp broken(maximum, fault);
    CHECK_FALSE(gradcheck(broken, Sample{{x, x}, {}}, {.structure = false}).ok());
  }
}

// Rule: cancelling
TEST_CASE(
    "autograd/verify/excuses: products of operands may cancel, and excuse no more than their rounding") {
  const Tensor a = tensor({31.7, 29.3}, float64), b = tensor({33.3, 41.9}, float64);
  const auto f = [&](double off) {
    return gradcheck(
        [=](const Tensor& x, const Tensor& y) {
          return apply(op<Products>, {x, y}, Products::Options{off});
        },
        {a, b}, {.structure = false, .locate = false, .expected = {.zero_gradient = true}});
  };
  CHECK_MESSAGE(f(0).ok(), f(0).text());
  for (double off : {1e-9, -1e-8, 1e-6, -1e-4}) {
    INFO(off);
    CHECK_FALSE(f(off).ok());
  }
}

// Rule: noisy direction
TEST_CASE(
    "autograd/verify/excuses: a direction too noisy to tell is decided by its parts, which must be right") {
  // A fast wave wants short steps, a slope below large values long ones: no step is good for both.
  const auto f = [](double x) { return x > 5 ? 1e-3 * std::sin(50 * x) : 1e6 + x; };
  const auto slope = [](double x) { return x > 5 ? 0.05 * std::cos(50 * x) : 1.0; };
  int used = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    INFO(seed);
    const GradcheckOptions options{.seed = seed, .mode = GradcheckMode::projection};
    const std::vector<double> at = {10.3, 1e-3};
    const Report report = check({f, slope}, at, options);
    bool searched = false;
    for (const CheckedEntry& e : report.entries()) {
      searched |= e.entry >= 0;
      CHECK((e.passed || e.verdict == Verdict::noisy));
    }
    used += report.ok() && searched;
    CHECK_FALSE(check({f, slope, [](double x) { return x < 5 ? 1e-3 : 0.0; }}, at, options).ok());
    // Some directions are next to 0 beside 1e6 and known to some 5e-6, where the fault makes 1e-3.
    CHECK_FALSE(check({f, slope, [](double x) { return x > 5 ? 1e-4 : 0.0; }}, at, options).ok());
  }
  CHECK(used > 0);
}

// Rule: linear in the cotangent
TEST_CASE(
    "autograd/verify/excuses: terms as large as the operands may round in a sum of cotangents, no more") {
  const auto f = [](double part, double size) {
    const Tensor x = size * Rng(5).uniform({4}, 0.5, 1, float64);
    return gradcheck([=](const Tensor& v) { return apply(op<Crooked>, {v}, Crooked::Options{part}); }, {x},
                     {.locate = false});
  };
  for (double size : {1.0, 30.0, 1e4}) {
    INFO(size);
    CHECK(f(0, size).ok());
    for (double part : {1e-5, 1e-6, 400 * 256 * size * 0x1p-53}) {
      INFO(part);
      const Report report = f(part, size);
      bool said = false;
      for (const StructureFault& fault : report.faults())
        said |= fault.what.find("not linear in the cotangent") != std::string::npos;
      CHECK(said);
    }
  }
}

// Rule: undecided
TEST_CASE(
    "autograd/verify/excuses: a record that cannot be told is not blamed, is no pass, and hides no other") {
  const auto graph = [](const Op& tanh_op, Tape& tape) {
    const Tensor x = tape.watch(tensor({0.0, 0.4, -0.7, 1.1}, float64));
    const Tensor y = apply(tanh_op, {x});
    return sum(atan2(y, y) * tensor({0.3, 0.0, 0.0, -0.4}, float64) + square(y));
  };
  Tape right;
  const Report told = gradcheck(right, graph(*find_op("tanh"), right));
  CHECK(told.culprits().empty());
  for (Fault fault : {Fault::half, Fault::thousandth, Fault::sign}) {
    INFO(std::string(name(fault)));
    const PlantedOp broken(*find_op("tanh"), fault);
    Tape tape;
    const Report report = gradcheck(tape, graph(broken, tape));
    CHECK_FALSE(report.ok());
    REQUIRE_MESSAGE(report.culprits().size() == 1, report.text());
    CHECK(report.culprits()[0].record == 0);
  }
  // atan2 at the origin, wrong beside it.
  const PlantedOp broken(*find_op("atan2"), Fault::thousandth);
  Tape tape;
  const Tensor x = tape.watch(tensor({0.0, 0.4, -0.7, 1.1}, float64));
  const Tensor z = tape.watch(tensor({0.0, 0.2, 0.7, -1.1}, float64));
  const Report report = gradcheck(tape, sum(apply(broken, {x, z})));
  REQUIRE_MESSAGE(report.culprits().size() == 1, report.text());
}

// Rule: hidden
TEST_CASE("autograd/verify/excuses: what values far away are does not count as noise or size here") {
  // Large values beyond 5, and an output that never moves, so that a step far away is taken.
  const auto f = [](double x) { return x > 5 ? 1e-3 * std::sin(50 * x) : 1e6 + x; };
  const auto slope = [](double x) { return x > 5 ? 0.05 * std::cos(50 * x) : 1.0; };
  for (double (*off)(double) :
       {+[](double x) { return x > 5 ? 1e-6 : 0.0; }, +[](double x) { return x > 5 ? -1e-3 : 0.0; }})
    CHECK_FALSE(check({f, slope, off}, {10.3, 1e-3}).ok());
}

// Rule: hidden
TEST_CASE(
    "autograd/verify/excuses: values too large to show how they move hide slopes of their rounding, no "
    "more") {
  const auto f = [](double x) { return 1e17 + x; };  // its unit is 16
  const auto slope = [](double) { return 1.0; };
  const auto verdict = [&](double (*off)(double)) {
    return check({f, slope, off}, {1.0}, {.expected = {.zero_gradient = true}}).entries()[0];
  };
  CHECK(verdict([](double) { return 0.0; }).verdict != Verdict::disagree);
  for (double (*off)(double) : {+[](double) { return 1e6; }, +[](double) { return -1e7; }})
    CHECK_FALSE(verdict(off).passed);
}

namespace {

bool says(const Report& report, const char* words) {
  bool said = false;
  for (const StructureFault& fault : report.faults()) said |= fault.what.find(words) != std::string::npos;
  return said;
}

// y = 2x with a gradient whose value is right and whose derivative by the cotangent is off by a part.
struct Stiff : DoublingOp {
  struct Options {
    double part = 0;
    static void fields(auto& self, auto&& f) { f("part", self.part); }
  };
  static constexpr std::string_view name = "stiff";
  static void vjp(Vjp& v) {
    const Tensor& g = v.g();
    v.add(0, 2.0 * g + v.options<Options>().part * (g - g.detach()));
  }
};

}  // namespace

// Rule: derivative by the cotangent
TEST_CASE("autograd/verify/excuses: the gradient's derivative by the cotangent may round, no more") {
  const Tensor x = Rng(6).normal({5}, float64);
  const auto f = [&](double part) {
    return gradcheck([=](const Tensor& v) { return apply(op<Stiff>, {v}, Stiff::Options{part}); }, {x},
                     {.locate = false});
  };
  CHECK(f(0).ok());
  for (double part : {1e-3, 1e-6, 1e-9, -1e-11}) {
    INFO(part);
    CHECK(says(f(part), "derivative by the cotangent at 0"));
  }
}

// Rule: shared operands
TEST_CASE(
    "autograd/verify/excuses: one tensor as two inputs has the sum of both gradients but for rounding") {
  const Tensor a = Rng(7).normal({4}, float64), b = Rng(8).normal({4}, float64);
  const auto f = [&](double part) {
    return gradcheck(
        [=](const Tensor& x, const Tensor& y) {
          const Tensor z = x * y + x;
          return x.handle() == y.handle() ? z + part * (x - x.detach()) : z;
        },
        {a, b}, {.locate = false});
  };
  CHECK_MESSAGE(f(0).ok(), f(0).text());
  for (double part : {1.0, 1e-6, -1e-11}) {
    INFO(part);
    CHECK(says(f(part), "one tensor as"));
  }
}

// Rule: rounded directions
TEST_CASE(
    "autograd/verify/excuses: a direction rounds large coordinates, which hides no fault at small ones") {
  // A steep slope at 1e-9 beside flat ones at 1: what rounds there must not count as a step here.
  const auto f = [](double x) { return std::fabs(x) < 0.5 ? 1e6 * x : 1e-6 * x; };
  const auto slope = [](double x) { return std::fabs(x) < 0.5 ? 1e6 : 1e-6; };
  const std::vector<double> at = {1e-9, 0.9, -1.3, 2.1, 1.7};
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    INFO(seed);
    const GradcheckOptions options{.seed = seed, .mode = GradcheckMode::projection};
    const Report report = check({f, slope}, at, options);
    CHECK_MESSAGE(report.ok(), report.text());
    CHECK_FALSE(
        check({f, slope, [](double x) { return std::fabs(x) < 0.5 ? 1e-3 : 0.0; }}, at, options).ok());
    CHECK_FALSE(check({f, slope, [](double x) { return x == 0.9 ? 1e-1 : 0.0; }}, at, options).ok());
  }
}
