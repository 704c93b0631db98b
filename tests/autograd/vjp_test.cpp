// What happens when a VJP rule of a user's op is wrong, throws, or sweeps itself.

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

#include "tests/support/test_op.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using tapegrad::testing::DoublingOp;
using tapegrad::testing::message_of;

namespace {

struct Right : DoublingOp {
  static constexpr std::string_view name = "right";
  static void vjp(Vjp& v) { v.add(0, mul(v.g(), 2.0)); }
};
struct WrongShape : DoublingOp {
  static constexpr std::string_view name = "wrong_shape";
  static void vjp(Vjp& v) { v.add(0, zeros({4}, v.dtype(0))); }
};
// A smaller shape would broadcast to x; that is still not x's gradient.
struct TooSmall : DoublingOp {
  static constexpr std::string_view name = "too_small";
  static void vjp(Vjp& v) { v.add(0, zeros({1}, v.dtype(0))); }
};
struct WrongDtype : DoublingOp {
  static constexpr std::string_view name = "wrong_dtype";
  static void vjp(Vjp& v) { v.add(0, zeros(v.shape(0), float32)); }
};
struct Undefined : DoublingOp {
  static constexpr std::string_view name = "undefined";
  static void vjp(Vjp& v) { v.add(0, Tensor()); }
};
struct Throwing : DoublingOp {
  static constexpr std::string_view name = "throwing";
  static inline bool armed = true;
  static void vjp(Vjp& v) {
    if (armed) throw std::runtime_error("from the rule");
    v.add(0, mul(v.g(), 2.0));
  }
};
// Sweeps a tape of its own inside the rule: the gradient of Σ g·2x.
struct Nested : DoublingOp {
  static constexpr std::string_view name = "nested";
  static void vjp(Vjp& v) {
    Tape inner;
    const Tensor x = inner.watch(v.input_tensor(0).detach());
    v.add(0, inner.gradient(sum(x * 2.0 * v.g().detach()))[x]);
  }
};
// Broadcasts the cotangent it is given; the sweep sums it down again.
struct Spread : DoublingOp {
  static constexpr std::string_view name = "spread";
  static void vjp(Vjp& v) { v.add(0, expand(v.g(), {4, 3})); }
};

template <class T>
std::string sweep_message() {
  Tape tape;
  const Tensor x = tape.watch(tensor({1.0, 2.0, 3.0}, float64));
  const Tensor y = sum(apply(op<T>, {x}));
  return message_of<GraphError>([&] { tape.gradient(y); });
}

}  // namespace

// FAULTS 63
TEST_CASE("autograd/vjp: a contribution of a wrong shape or dtype names op and operand") {
  CHECK(sweep_message<WrongShape>().starts_with(
      "[wrong_shape] its VJP gave float64[4] for operand x, which is float64[3] (vjp_test.cpp:"));
  CHECK(sweep_message<TooSmall>().starts_with(
      "[too_small] its VJP gave float64[1] for operand x, which is float64[3] (vjp_test.cpp:"));
  CHECK(sweep_message<WrongDtype>().starts_with(
      "[wrong_dtype] its VJP gave float32[3] for operand x, which is float64[3] (vjp_test.cpp:"));
  CHECK(sweep_message<Undefined>().starts_with("[undefined] its VJP gave "));
}

TEST_CASE("autograd/vjp: a contribution of the broadcast shape is summed down") {
  Tape tape;
  const Tensor x = tape.watch(tensor({1.0, 2.0, 3.0}, float64));
  const Tensor y = apply(op<Spread>, {x});
  CHECK(equal(tape.gradient(y, ones({3}, float64))[x], full({3}, 4, float64)));
}

// FAULTS 62
TEST_CASE("autograd/vjp: an exception in a rule passes through and leaves the tape usable") {
  const Parameter p(tensor({1.0, 2.0, 3.0}, float64));
  Tape tape;
  const Tensor y = sum(tanh(apply(op<Throwing>, {p})));
  const size_t records = tape.size();
  Throwing::armed = true;
  CHECK_THROWS_AS(tape.gradient(y), std::runtime_error);
  CHECK_THROWS_AS(tape.gradient(y, {.differentiable = true}), std::runtime_error);
  // Still the tape that records, and the records are as they were.
  const Tensor z = p * 2.0;
  CHECK(tape.size() > records);
  CHECK(equal(tape.gradient(sum(z))[p], full({3}, 2, float64)));
  Throwing::armed = false;
  const Tensor slope = 1.0 - square(tanh(2.0 * p.detach()));
  CHECK(allclose(tape.gradient(y)[p], 2.0 * slope, 1e-12));
}

TEST_CASE("autograd/vjp: an exception in a consuming sweep leaves no half-freed tape") {
  const Parameter p(tensor({1.0, 2.0, 3.0}, float64));
  Tape tape;
  const Tensor y = sum(tanh(apply(op<Throwing>, {p})));
  Throwing::armed = true;
  CHECK_THROWS_AS(std::move(tape).gradient(y), std::runtime_error);
  CHECK(message_of<GraphError>([&] { tape.gradient(y); }).find("records freed") != std::string::npos);
}

// FAULTS 64
TEST_CASE("autograd/vjp: a rule may sweep a tape of its own") {
  Tape tape;
  const Tensor x = tape.watch(tensor({1.0, 2.0, 3.0}, float64));
  const Tensor c = tensor({0.5, -1.0, 2.0}, float64);
  CHECK(equal(tape.gradient(apply(op<Nested>, {x}), c)[x], 2.0 * c));
}

TEST_CASE("autograd/vjp: a user's op has the same rights") {
  const Op& mine = op<Right>;
  const Op* list[] = {&mine};
  CHECK(find_op("right", list) == &mine);
  CHECK(find_op("right") == nullptr);
  const Report report = gradcheck([](const Tensor& x) { return tanh(apply(op<Right>, {x})); },
                                  {Rng(1).normal({3, 2}, float64)});
  CHECK_MESSAGE(report.ok(), std::string(report.text()));
}
