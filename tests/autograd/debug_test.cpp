// A tape with `debug` set: what it names, what it lets pass, and that a throw leaves everything as it was.

#include <cmath>
#include <string>

#include "tests/support/faults.h"
#include "tests/support/test_op.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

std::string at(int line) { return " (debug_test.cpp:" + std::to_string(line) + ")"; }

// Twice g, but infinite where the operand is above 100.
struct Exploding : DoublingOp {
  static constexpr std::string_view name = "exploding";
  static void vjp(Vjp& v) { v.add(0, where(gt(v.input(0), 100.0), kInf, mul(v.g(), 2.0))); }
};
// A rule that goes through a NaN which it does not use.
struct Guarded : DoublingOp {
  static constexpr std::string_view name = "guarded";
  static void vjp(Vjp& v) {
    const Tensor root = sqrt(v.input(0));
    v.add(0, mul(v.g(), where(gt(v.input(0), 0.0), div(root, root), 2.0)));
  }
};

}  // namespace

TEST_CASE("autograd/debug: FAULTS 98: the first op whose result holds a NaN, with ranges and origin") {
  const Parameter w(tensor({{1.0, -3.0}, {0.5, 2.0}}, float64), "weight");
  Tape tape({.debug = true});
  const int first = __LINE__ + 1;
  const Tensor a = w - 1.0;
  const int second = __LINE__ + 1;
  const Tensor b = a * 2.0;
  const size_t records = tape.size(), values = tape.values();
  const int line = __LINE__ + 1;
  const std::string message = message_of<NumericError>([&] { sqrt(b); });
  CHECK(message ==
        "[sqrt] output 0 holds 2 NaN among 4 elements, the first at [0, 1] — x: float64[2, 2] in [-8, 2]" +
            at(line) + "\n  x came from [mul]" + at(second) + " ← [sub]" + at(first) +
            " ← parameter \"weight\"");
  CHECK(tape.size() == records);
  CHECK(tape.values() == values);
  // The next valid call works.
  CHECK(equal(tape.gradient(sum(b))[w], full({2, 2}, 2, float64)));
}

TEST_CASE("autograd/debug: FAULTS 98: the first infinity, in small and in large tensors") {
  for (int64_t n : {1, 7, 5000}) {
    CAPTURE(n);
    Tape tape({.debug = true});
    const Tensor x = tape.watch(cat({full({n}, 3, float64), list({800})}));
    op_refuses<NumericError>(
        "exp", [&] { exp(x); },
        {"1 infinite among " + std::to_string(n + 1) + " elements, the first at [" + std::to_string(n) + "]",
         "in [3, 800]", "x came from a watched tensor"});
    op_refuses<NumericError>("div", [&] { return 1.0 / (x - 3.0); }, {"infinite", "a: 1", "in [0, 797]"});
    op_refuses<NumericError>("log", [&] { return log(x - 3.0); }, {"infinite"});
    CHECK(tape.size() == 2);  // the two differences
  }
}

TEST_CASE("autograd/debug: FAULTS 98: a rule that makes an infinity, with the way to the output") {
  const Parameter w(list({1, 0, 4}), "weight");
  Tape tape({.debug = true});
  const int line = __LINE__ + 1;
  const Tensor root = sqrt(w);
  const int next = __LINE__ + 1;
  const Tensor y = root * 3.0;
  const int last = __LINE__ + 1;
  const Tensor loss = sum(y);
  const std::string message = message_of<NumericError>([&] { tape.gradient(loss); });
  CHECK(message ==
        "[sqrt] the gradient of operand x holds 1 infinite among 3 elements, the first at [1] — cotangent: "
        "float64[3] in [3, 3], x: float64[3] in [0, 4]" +
            at(line) + "\n  to the output: [mul]" + at(next) + " → [sum]" + at(last));
  CHECK_THROWS_AS(tape.gradient(loss, {.differentiable = true}), NumericError);
  // Where nothing is asked at the pole nothing is infinite, and the tape still works.
  CHECK(equal(tape.gradient(y, list({1, 0, 1}))[w], list({1.5, 0, 0.75})));
  // At the output itself.
  refuses<NumericError>([&] { tape.gradient(root, list({1, 1, 1})); }, {"[sqrt]", "it is the output"});
  // A sweep that frees its records names them all the same.
  CHECK(message_of<NumericError>([&] { std::move(tape).gradient(loss); }) == message);
}

TEST_CASE("autograd/debug: FAULTS 98: the sum of contributions that overflows") {
  Tape tape({.debug = true});
  const Tensor x = tape.watch(full({2}, 0.1, float32));
  const Tensor y = sum(x * 3e38) + sum(x * 3e38f);
  refuses<NumericError>([&] { tape.gradient(y); }, {"[mul] the gradient of operand a", "2 infinite among 2"});
}

TEST_CASE("autograd/debug: an infinity that is given passes, a NaN never does") {
  Tape tape({.debug = true});
  const Tensor x = tape.watch(tensor({{1.0, 2.0}, {3.0, 4.0}}, float64));
  const Tensor mask = tensor({{true, false}, {false, false}});
  const Tensor filled = masked_fill(x, mask, -kInf);
  const Tensor added = x + tensor({{-kInf, 0.0}, {0.0, 0.0}}, float64);
  const Tensor chosen = where(mask, -kInf, x);
  for (const Tensor& y : {filled, added, chosen}) {
    CHECK(std::isfinite(sum(tape.gradient(sum(softmax(y, 1) * x.detach()))[x]).item()));
  }
  // But what becomes of it is not given.
  op_refuses<NumericError>("sub", [&] { return filled - filled; },
                           {"1 NaN among 4 elements, the first at [0, 0]", "1 infinite"});
  op_refuses<NumericError>("mul", [&] { return x * kNan; }, {"4 NaN"});
  op_refuses<NumericError>("add",
                           [&] {
                             return x + tensor({kNan, 1.0}, float64);
                           },
                           {"2 NaN", "b: float64[2] in [1, 1] and 1 NaN"});
  refuses<NumericError>(
      [&] {
        tape.gradient(x * 1.0, tensor({{1.0, kNan}, {0.0, 0.0}}, float64));
      },
      {"[gradient] the cotangent holds 1 NaN", "debug_test.cpp"});
}

TEST_CASE("autograd/debug: a user's rule is looked at too, but only what it gives") {
  Tape tape({.debug = true});
  const Tensor x = tape.watch(list({1, 1000}));
  const Tensor bad = sum(apply(op<Exploding>, {x}));
  op_refuses<NumericError>("exploding", [&] { tape.gradient(bad); },
                           {"the gradient of operand x holds 1 infinite"});
  const Tensor z = tape.watch(list({-1, 4}));
  const Tensor good = sum(apply(op<Guarded>, {z}));
  CHECK(equal(tape.gradient(good)[z], list({2, 1})));
  CHECK(equal(tape.gradient(good, {.differentiable = true})[z], list({2, 1})));
}

TEST_CASE("autograd/debug: the option belongs to one tape") {
  const auto root = [](const Tape&, const Tensor& x) { return sqrt(x); };
  for (int i = 0; i < 3; ++i) {
    Tape plain;
    const Tensor x = plain.watch(list({-1}));
    CHECK(std::isnan(root(plain, x).item()));
    Tape debug({.debug = true});
    const Tensor z = debug.watch(list({-1}));
    CHECK_THROWS_AS(root(debug, z), NumericError);
    CHECK(std::isnan(sqrt(list({-1})).item()));  // nothing is recorded of this
  }
  Tape plain;
  const Tensor x = plain.watch(list({0}));
  CHECK(plain.gradient(sqrt(x))[x].item() == kInf);
}

TEST_CASE("autograd/debug: a long way is shown by its ends") {
  Tape tape({.debug = true});
  const Tensor x = tape.watch(list({1}));
  Tensor y = exp(x);
  for (int i = 0; i < 20; ++i) y = y + 1.0;
  const std::string message = message_of<NumericError>([&] { log(y * 0.0); });
  CHECK(message.find("← … ") != std::string::npos);
  CHECK(message.find(" more … ← a watched tensor") != std::string::npos);
}
