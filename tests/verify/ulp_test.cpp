// A short run of ./run verify --ulp, and proof that it finds errors.

#include "tests/verify/ulp.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "autograd/autograd.h"
#include "autograd/pointwise.h"
#include "tests/verify/measure.h"

using namespace tapegrad;
using namespace tapegrad::verify;

namespace {

std::string text(const UlpRow& row) {
  return row.op + "(" + row.options + ") " + std::string(name(row.dtype)) + ": " + std::to_string(row.error) +
         " of " + std::to_string(row.bound) + " at " + row.at + " on " + row.target + ", " + row.verdict();
}

constexpr double kWrong = std::numeric_limits<double>::infinity();

// Ops under the names of others, each wrong in one way.
template <class F>
struct Planted : F {
  static constexpr std::string_view doc = "wrong on purpose";
};
struct Scaled {  // by 12 units of float32; both dtypes alike
  static constexpr std::string_view name = "exp";
  static constexpr Ulp ulp = {2, 2};
  static auto f(auto x) { return math::exp(x) * 1.0000014; }
};
struct Far {  // off by less than 1e-6, where |x| > 80 alone
  static constexpr std::string_view name = "exp";
  static constexpr Ulp ulp = {2, 2};
  static auto f(auto x) { return where(x > 80.0, math::exp(x) * 1.0000009, math::exp(x)); }
};
struct Negated {  // the sign of 0 is lost
  static constexpr std::string_view name = "neg";
  static constexpr Ulp ulp = {0.5, 0.5};
  static auto f(auto x) { return 0.0 - x; }
};
struct Hidden {  // NaN is lost
  static constexpr std::string_view name = "relu";
  static constexpr Ulp ulp = {0.5, 0.5};
  static auto f(auto x) { return where(x > 0.0, x, 0.0 * x); }
};
struct Unstated {
  static constexpr std::string_view name = "square";
  static auto f(auto x) { return x * x; }
};
struct Unknown {
  static constexpr std::string_view name = "no_such_function";
  static constexpr Ulp ulp = {1, 1};
  static auto f(auto x) { return x * x; }
};

template <class F>
std::vector<UlpRow> measured() {
  const Op* list[] = {&op<Planted<F>>};
  return measure_ulp({}, list);
}

}  // namespace

TEST_CASE("verify/ulp: every op states a bound and keeps it at a sample of points") {
  const std::vector<UlpRow> rows = measure_ulp({});
  for (const UlpRow& row : rows) CHECK_MESSAGE(row.ok(), text(row));
  CHECK(std::any_of(rows.begin(), rows.end(), [](const UlpRow& row) { return row.op == "exp"; }));
}

TEST_CASE("verify/ulp: sums, means and products of vectors keep theirs") {
  const std::vector<UlpRow> rows = measure_sums({});
  CHECK(rows.size() == 30);
  for (const UlpRow& row : rows) CHECK_MESSAGE(row.ok(), text(row));
}

TEST_CASE("verify/ulp: planted errors are found") {
  for (const UlpRow& row : measured<Scaled>()) {
    CAPTURE(text(row));
    CHECK(row.verdict() == "exceeded");
    CHECK(row.error >= (row.dtype == float32 ? 11 : 1e9));
  }
  for (const UlpRow& row : measured<Far>()) CHECK_MESSAGE(row.verdict() == "exceeded", text(row));
  for (const UlpRow& row : measured<Negated>()) {
    CHECK_MESSAGE(row.error == kWrong, text(row));
    CHECK(row.at.find("x = 0 ") != std::string::npos);
  }
  for (const UlpRow& row : measured<Hidden>()) CHECK_MESSAGE(row.error == kWrong, text(row));
  for (const UlpRow& row : measured<Unstated>()) CHECK_MESSAGE(row.verdict() == "no bound stated", text(row));
  for (const UlpRow& row : measured<Unknown>())
    CHECK_MESSAGE(row.verdict() == "no MPFR reference", text(row));
}

TEST_CASE("verify/ulp: an error in units in the last place") {
  CHECK(ulps(1.0F, Real(1)) == 0);
  CHECK(ulps(1 + 0x1p-23F, Real(1)) == 1);
  CHECK(ulps(1 - 0x1p-24F, Real(1)) == 0.5);
  CHECK(ulps(1.0F, Real(1) + Real(0x1p-25)) == 0.25);
  CHECK(ulps(2.0, Real(2) - Real(0x1p-53)) == 0.5);  // below 2 the numbers lie closer
  CHECK(ulps(0x1p-149F, Real(0x1p-150)) == 0.5);     // the spacing of denormal numbers
  CHECK(ulps(0.0F, Real(0x1p-160)) == 0x1p-11);
  CHECK(ulps(0.0F, Real(0)) == 0);
  CHECK(ulps(-0.0F, Real(0)) == kWrong);
  CHECK(ulps(-0.0F, Real(0), false) == 0);
  CHECK(ulps(0x1p-149F, Real(0)) == 1);
  CHECK(ulps(-1.0, Real(1)) == kWrong);
  CHECK(ulps(NAN, Real(NAN)) == 0);
  CHECK(ulps(1.0, Real(NAN)) == kWrong);
  CHECK(ulps<double>(NAN, Real(1)) == kWrong);
  CHECK(ulps<float>(INFINITY, Real(0x1p128)) == 0);       // what rounds to infinity
  CHECK(ulps<float>(INFINITY, Real(0x1p127)) == 0x1p23);  // as 2¹²⁸
  CHECK(ulps<float>(INFINITY, Real(std::numeric_limits<float>::max())) == 1);
  CHECK(ulps(std::numeric_limits<float>::max(), Real(0x1p128)) == 0.5);  // units are those at 2¹²⁸
  CHECK(ulps<float>(INFINITY, Real(-0x1p127)) == kWrong);
  CHECK(ulps(std::numeric_limits<double>::max(), Real(INFINITY)) == kWrong);
  CHECK(ulps<double>(-INFINITY, Real(INFINITY)) == kWrong);
  // In units of an operand of size 4, whatever the sign.
  CHECK(ulps(-0x1p-50, Real(0), true, 4) == 1);
}

TEST_CASE("verify/ulp: the float64 kernel as the reference shows the same errors as MPFR") {
  const Op* list[] = {find_op("exp")};
  REQUIRE(list[0] != nullptr);
  Progress progress(false);
  const MeasuredOp subject{list[0], {}, find_reference("exp"), 1, 2, &progress, ""};
  Points<float> points = unary_points<float>(20000, 5);
  const Worst<float> narrow = against_float64(subject, points), wide = against_mpfr(subject, points);
  CHECK(narrow.error > 0.5);
  CHECK(narrow.error <= wide.error + 0x1p-26);  // on the best target; MPFR sees all of them
}
