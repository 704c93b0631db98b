// Kinks, ties, poles, infinities and NaN. Most of these rows are conventions of one op: its samples state
// them and tests/autograd/registry_conventions_test.cpp compares to the bit; here stands which they are.

#include <cmath>
#include <string>

#include "autograd/samples.h"
#include "tests/support/faults.h"
#include "tests/support/op_function.h"
#include "tests/support/sanitizers.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

struct Stated {
  const char *op, *what;
};

// Every op of the list has a convention whose text contains `what`.
void check_stated(std::initializer_list<Stated> rows) {
  for (const Stated& row : rows) {
    INFO(row.op << ": " << row.what);
    const Op* op = find_op(row.op);
    REQUIRE(op != nullptr);
    const Samples samples = samples_of(*op);
    bool found = false;
    for (const Convention& point : samples.conventions()) {
      found = found || point.what.find(row.what) != std::string_view::npos;
    }
    CHECK(found);
  }
}

}  // namespace

TEST_CASE("faults/numeric: FAULTS 69: relu, abs and sign at 0") {
  check_stated({{"relu", "gradient 0 at 0"}, {"abs", "gradient 0 at 0"}, {"sign", "0 at 0"}});
}

TEST_CASE("faults/numeric: FAULTS 70: relu of NaN") { check_stated({{"relu", "NaN stays and passes"}}); }

TEST_CASE("faults/numeric: FAULTS 72: poles of sqrt and log") {
  check_stated({{"sqrt", "infinite at 0"}, {"log", "−inf at 0 and −0 with gradient +inf"}});
}

TEST_CASE("faults/numeric: FAULTS 73: log of a negative number") {
  check_stated({{"log", "NaN below, and so its gradient"}});
}

TEST_CASE("faults/numeric: FAULTS 74: exp and sigmoid far out") {
  check_stated({{"exp", "overflows to infinity"}, {"sigmoid", "saturates at 1 and 0 with gradient 0"}});
}

TEST_CASE("faults/numeric: FAULTS 76: powers of and by 0, and of negative numbers") {
  check_stated({{"pow", "0^0 is 1; at x = 0 the gradient is 0 for p = 0"}, {"pow", "below 0"}});
  const auto constant = [](const Tensor& t) { return pow(t, 0); };
  CHECK(equal(gradient(constant, list({0, -3, kInf})), list({0, 0, 0})));
}

TEST_CASE("faults/numeric: FAULTS 77: a tie of maximum or minimum") {
  check_stated({{"maximum", "a tie gives each side half"}, {"minimum", "a tie gives each side half"}});
}

TEST_CASE("faults/numeric: FAULTS 78: a tie of max or amax, and all of the cotangent arrives") {
  check_stated({{"max", "the first is taken"}, {"min", "the first is taken"}});
  check_stated({{"amax", "a tie shares the gradient evenly"}, {"amin", "a tie shares the gradient evenly"}});
  const Tensor x = cast(Rng(78).integers({6, 9}, 0, 3), float64), c = Rng(79).normal({6}, float64);
  for (bool largest : {true, false}) {
    const Tensor one =
        gradient([&](const Tensor& t) { return (largest ? max(t, 1) : min(t, 1)).values; }, x, c);
    const Tensor even =
        gradient([&](const Tensor& t) { return largest ? amax(t, Dims{1}) : amin(t, Dims{1}); }, x, c);
    CHECK(equal(sum(one, Dims{1}), c));
    CHECK(allclose(sum(even, Dims{1}), c, 1e-15, 0));
  }
}

TEST_CASE("faults/numeric: FAULTS 79: a product with one zero and with several") {
  check_stated({{"prod", "at zeros is the product of the others"}});
}

TEST_CASE("faults/numeric: FAULTS 80: a running product with a zero") {
  check_stated({{"cumprod", "at zeros is that of the products"}});
}

TEST_CASE("faults/numeric: FAULTS 81: the norm of the zero vector") {
  check_stated({{"norm", "gradient 0 at the zero vector"}});
}

TEST_CASE("faults/numeric: FAULTS 82: variance and deviation of one element") {
  check_stated({{"var", "of one element"}, {"std", "of one element"}});
}

TEST_CASE("faults/numeric: FAULTS 83: logsumexp where all are -inf") {
  check_stated({{"logsumexp", "all −inf: −inf with gradient 0"}});
}

TEST_CASE("faults/numeric: FAULTS 85: softmax with -inf") {
  check_stated({{"softmax", "−inf gets 0"}, {"softmax", "all −inf gives NaN"}});
}

TEST_CASE("faults/numeric: FAULTS 88: a choice lets nothing through from the other side") {
  check_stated({{"where", "the side not chosen has no influence"}});
  const auto root = [](const Tensor& t) { return where(t > 0.0, sqrt(t), t); };
  CHECK(equal(gradient(root, list({-1, 4})), list({1, 0.25})));
  const auto logarithm = [](const Tensor& t) { return where(t > 0.0, log(t), t * 3.0); };
  CHECK(equal(gradient(logarithm, list({0, 2})), list({3, 0.5})));
  // A debug tape names the op that is asked for what it cannot give.
  Tape tape({.debug = true});
  const Tensor x = tape.watch(list({-1, 4}));
  op_refuses<NumericError>("sqrt", [&] { root(x); }, {"1 NaN among 2 elements, the first at [0]"});
}

TEST_CASE("faults/numeric: FAULTS 91: denormal numbers are kept, in every kernel that a number passes") {
  CHECK(keeps_denormals());
  const float tiny = 3e-40f;
  const Tensor x = full({100}, tiny);
  CHECK(equal(x * 1.0, x));
  CHECK(equal(x + 0.0, x));
  CHECK(equal(neg(neg(x)), x));
  CHECK(equal(cast(cast(x, float64), float32), x));
  CHECK(equal(abs(-x), x));
  CHECK(equal(amax(x), full({}, tiny)));
  CHECK(sum(x).item() == doctest::Approx(100.0 * static_cast<double>(tiny)).epsilon(1e-4).scale(0));
  CHECK(matmul(x, ones({100})).item() > 0);
  CHECK(equal(gradient([](const Tensor& t) { return t * full({}, 3e-40f); }, ones({100})), x));
  CHECK(exp(tensor({-100.0})).item<float>() > 0);
  CHECK(equal(sqrt(tensor({1e-44}, float32)) > 0.0, tensor({true})));
}

TEST_CASE("faults/numeric: FAULTS 92: -0 is kept") {
  const auto negative_zero = [](const Tensor& t) {
    for (double v : t.to_vector<double>()) {
      if (v != 0 || !std::signbit(v)) return false;
    }
    return true;
  };
  const Tensor x = full({2, 3}, -0.0, float64);
  CHECK(negative_zero(x));
  CHECK(negative_zero(-full({3}, 0.0, float64)));
  CHECK_FALSE(negative_zero(-x));
  CHECK(negative_zero(reshape(x, {6})));
  CHECK(negative_zero(transpose(x, 0, 1)));
  CHECK(negative_zero(slice(x, 1, 0, 2)));
  CHECK(negative_zero(expand(x, {2, 2, 3})));
  CHECK(negative_zero(cat({x, x}, 1)));
  CHECK(negative_zero(index_select(x, 0, tensor({1}))));
  CHECK(negative_zero(Parameter(x).value()));
  CHECK(negative_zero(cast(cast(x, float32), float64)));
}

TEST_CASE("faults/numeric: FAULTS 93: NaN wins, and of several the first") {
  check_stated(
      {{"maximum", "NaN wins"}, {"minimum", "NaN wins"}, {"amax", "NaN wins"}, {"amin", "NaN wins"}});
  check_stated({{"max", "the first NaN"}, {"min", "the first NaN"}});
  check_stated({{"argmax", "the first NaN"}, {"argmin", "the first NaN"}});
  // Wherever it stands among the lanes.
  for (int64_t n : {9, 64, 1000}) {
    for (int64_t at : {int64_t{0}, n / 2, n - 1}) {
      CAPTURE(n);
      CAPTURE(at);
      const Tensor x = scatter(cast(arange(0, n), float64), 0, full({1}, static_cast<double>(at), int64),
                               full({1}, kNan, float64));
      CHECK(std::isnan(amax(x).item()));
      CHECK(std::isnan(amin(x).item()));
      CHECK(argmax(x).item() == static_cast<double>(at));
      CHECK(argmin(x, 0).item() == static_cast<double>(at));
    }
  }
}

TEST_CASE("faults/numeric: FAULTS 94: inf - inf and 0·inf are NaN") {
  CHECK(equal(list({kInf}) - list({kInf}), list({kNan})));
  CHECK(equal(list({0}) * list({kInf}), list({kNan})));
  CHECK(std::isnan(sum(list({kInf, -kInf})).item()));
  CHECK(std::isnan(matmul(list({0, 1}), list({kInf, 1})).item()));
}

TEST_CASE("faults/numeric: FAULTS 97: a hundred million tenths") {
  if (kSanitized) {
    MESSAGE("skipped: a sanitizer needs more memory than this test should take");
    return;
  }
  const int64_t n = 100'000'000;
  const double exact = static_cast<double>(n) * static_cast<double>(0.1f);
  const Tensor tenths = full({n}, 0.1f);
  CHECK(std::fabs(sum(tenths).item() - exact) <= 1e-6 * exact);
  CHECK(std::fabs(mean(tenths).item() - static_cast<double>(0.1f)) <= 1e-6 * static_cast<double>(0.1f));
}
