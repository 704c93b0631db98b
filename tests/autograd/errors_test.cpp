// The whole text of errors that users meet first, and the source line in them, on every compiler.

#include <doctest/doctest.h>

#include <string>

#include "autograd/autograd.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using tapegrad::testing::message_of;

namespace {

std::string at(int line) { return " (errors_test.cpp:" + std::to_string(line) + ")"; }

constexpr int kHelperLine = __LINE__ + 1;
Tensor scores(const Tensor& x, const Parameter& w) { return matmul(x, w) + 1.0; }

}  // namespace

// FAULTS 2
TEST_CASE("autograd/errors: matmul inner dimensions") {
  const Tensor a = zeros({2, 4});
  const Tensor b = zeros({5, 3});
  const int line = __LINE__ + 1;
  const std::string message = message_of<ShapeError>([&] { matmul(a, b); });
  CHECK(message ==
        "[matmul] inner dimensions differ: 4 and 5 — a: float32[2, 4], b: float32[5, 3]" + at(line));
}

TEST_CASE("autograd/errors: broadcast in an operator") {
  const Tensor a = zeros({2, 3});
  const Tensor b = zeros({2, 4});
  const std::string expected =
      "[add] shapes do not broadcast: [2, 3] and [2, 4] differ at dimension -1 — a: float32[2, 3], b: "
      "float32[2, 4]";
  const int line = __LINE__ + 1;
  CHECK(message_of<ShapeError>([&] { return a + b; }) == expected + at(line));
  // Written over several lines, the error names the line of the first operand or of the operator.
  // clang-format off
  const int first = __LINE__ + 2;
  const std::string message = message_of<ShapeError>([&] {
    return a +
           b;
  });
  // clang-format on
  CHECK((message == expected + at(first) || message == expected + at(first + 1)));
}

// FAULTS 27 FAULTS 28
TEST_CASE("autograd/errors: dtypes") {
  const Tensor a = zeros({2});
  const Tensor b = zeros({2}, float64);
  const int line = __LINE__ + 1;
  const std::string text_line = message_of<DTypeError>([&] { return a * b; });
  CHECK(text_line ==
        "[mul] dtypes differ: float32 and float64; use cast — a: float32[2], b: float64[2]" + at(line));
  const Tensor square = zeros({2, 2}), other = zeros({2, 2}, float64);
  const int next = __LINE__ + 1;
  const std::string text_next = message_of<DTypeError>([&] { matmul(square, other); });
  CHECK(text_next ==
        "[matmul] dtypes differ: float32 and float64; use cast — a: float32[2, 2], b: float64[2, 2]" +
            at(next));
  const int third = __LINE__ + 1;
  const std::string text_third = message_of<DTypeError>([&] { exp(tensor({1, 2})); });
  CHECK(text_third ==
        "[exp] expected x to be float32 or float64, given int64; use cast — x: int64[2]" + at(third));
}

TEST_CASE("autograd/errors: a fractional number beside integers") {
  const Tensor a = tensor({1, 2});
  const int line = __LINE__ + 1;
  const std::string text_line = message_of<DTypeError>([&] { return a + 0.5; });
  CHECK(text_line == "[add] the number 0.5 beside int64 elements; use cast — a: int64[2], b: 0.5" + at(line));
  CHECK(equal(a + 1, tensor({2, 3})));
}

TEST_CASE("autograd/errors: through a Parameter") {
  const Parameter w(zeros({3, 4}), "weight");
  const int line = __LINE__ + 1;
  const std::string text_line = message_of<ShapeError>([&] { return w + zeros({3}); });
  CHECK(text_line ==
        "[add] shapes do not broadcast: [3, 4] and [3] differ at dimension -1 — a: float32[3, 4], b: "
        "float32[3]" +
            at(line));
  const int next = __LINE__ + 1;
  const std::string text_next = message_of<ShapeError>([&] { return linear(zeros({2, 3}), w, zeros({3})); });
  CHECK(text_next ==
        "[linear] inner dimensions differ: 3 and 4 — x: float32[2, 3], weight: float32[3, 4], bias: "
        "float32[3]" +
            at(next));
}

TEST_CASE("autograd/errors: in a function of the user's") {
  const Parameter w(zeros({3, 4}));
  const std::string message = message_of<ShapeError>([&] { scores(zeros({2, 5}), w); });
  CHECK(message ==
        "[matmul] inner dimensions differ: 5 and 3 — a: float32[2, 5], b: float32[3, 4]" + at(kHelperLine));
  // A layer reports its caller's line instead.
  const int line = __LINE__ + 2;
  const std::string outer = message_of<ShapeError>([&] {
    const CallSite site(Arg{w});
    scores(zeros({2, 5}), w);
  });
  CHECK(outer == "[matmul] inner dimensions differ: 5 and 3 — a: float32[2, 5], b: float32[3, 4]" + at(line));
}

TEST_CASE("autograd/errors: functions of lists and indices name the user's line too") {
  const Tensor a = zeros({2, 3});
  const int line = __LINE__ + 1;
  const std::string text_line = message_of<ShapeError>([&] { cat({a, zeros({3, 2})}); });
  CHECK(
      text_line ==
      "[cat] sizes differ along dimension 1: 3 and 2 — tensors[0]: float32[2, 3], tensors[1]: float32[3, 2]" +
          at(line));
  const int next = __LINE__ + 1;
  const std::string text_next = message_of<IndexError>([&] { select(a, 0, 2); });
  CHECK(text_next == "[select] index 2 is out of range for size 2" + at(next));
  const int third = __LINE__ + 1;
  const std::string text_third = message_of<IndexError>([&] { transpose(a, 0, 2); });
  CHECK(text_third == "[transpose] dimension 2 is out of range for rank 2 — x: float32[2, 3]" + at(third));
  const int fourth = __LINE__ + 1;
  const std::string text_fourth = message_of<IndexError>([&] { gather(tensor({1.0, 2.0}), 0, tensor({2})); });
  CHECK(text_fourth ==
        "[gather] index 2 at position 0 is outside [0, 2) — x: float32[2], index: int64[1]" + at(fourth));
  const int fifth = __LINE__ + 1;
  CHECK(message_of<IndexError>([&] { a[2]; }) == "[select] index 2 is out of range for size 2" + at(fifth));
}

TEST_CASE("autograd/errors: records of a sweep carry the line of the forward record") {
  Tape tape;
  const Tensor x = tape.watch(ones({2}, float64));
  const int line = __LINE__ + 1;
  const Tensor y = sum(tanh(x) * x);
  const size_t forward = tape.size();
  tape.gradient(y, {.differentiable = true});
  CHECK(tape.size() > forward);
  for (size_t r = 0; r < tape.size(); ++r) {
    CHECK(std::string(tape[r].where.file).ends_with("errors_test.cpp"));
    CHECK(tape[r].where.line == line);
  }
}

TEST_CASE("autograd/errors: undefined tensors and cells") {
  const Tensor none;
  CHECK(message_of<ArgumentError>([&] { none.shape(); }) == "an undefined tensor was used");
  CHECK_THROWS_AS(none + 1.0, ArgumentError);
  CHECK_THROWS_AS(none + none, ArgumentError);
  CHECK_THROWS_AS(cat({zeros({2}), none}), ArgumentError);
  const Parameter p;
  CHECK_THROWS_AS(p.value(), ArgumentError);
  CHECK_THROWS_AS(exp(p), ArgumentError);
  Tape tape;
  CHECK_THROWS_AS(exp(p), ArgumentError);
  CHECK_THROWS_AS(static_cast<void>(static_cast<Tensor>(p)), ArgumentError);
  const Gradients g = tape.gradient(tape.watch(zeros({})));
  CHECK_THROWS_AS(g[none], Error);
  CHECK_THROWS_AS(g[p], Error);
}

TEST_CASE("autograd/errors: copies of an error share the text, and context is added") {
  ShapeError error("first");
  const Error copy = error;
  error.add_context("in layers.1: Linear 784→256");
  CHECK(std::string(error.what()) == "first\n  in layers.1: Linear 784→256");
  CHECK(std::string(copy.what()) == std::string(error.what()));
  Error other("second");
  other = error;
  CHECK(std::string(other.what()) == std::string(error.what()));
  CHECK(FormatError("truncated", 12).offset() == 12);
  CHECK(IoError("open", 2).code() == 2);
}
