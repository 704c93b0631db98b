// What a tape records, when, and what gradients mean: recording, watching, detaching, nesting, life time.

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>

#include "autograd/autograd.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using tapegrad::testing::message_of;

// FAULTS 58
static_assert(!std::is_copy_constructible_v<Tape>);
static_assert(!std::is_move_constructible_v<Tape>);
static_assert(!std::is_copy_assignable_v<Tape>);
static_assert(!std::is_move_assignable_v<Tape>);

namespace {
Tensor d(double value) { return full({}, value, float64); }
}  // namespace

TEST_CASE("autograd/tape: no tape, nothing recorded") {
  const Parameter p(d(3));
  const Tensor before = p * p;
  Tape tape;
  CHECK(tape.size() == 0);
  CHECK(before.item<double>() == 9);
  // A result from outside is a constant here.
  CHECK_THROWS_AS(tape.gradient(before), GraphError);
  const Tensor y = before * p;
  CHECK(tape.size() == 1);
  CHECK(tape.gradient(y)[p].item<double>() == 9);
}

TEST_CASE("autograd/tape: an op is recorded only when an operand is tracked") {
  Tape tape;
  const Tensor a = d(2);
  const Tensor b = a * 3.0 + a;
  CHECK(tape.size() == 0);
  CHECK(b.item<double>() == 8);
  const Tensor x = tape.watch(a);
  const Tensor y = x * b;
  CHECK(tape.size() == 1);
  CHECK(tape.gradient(y)[x].item<double>() == 8);
  // The tensor that was watched is not itself tracked.
  (void)(a * 2.0);
  CHECK(tape.size() == 1);
}

// FAULTS 59
TEST_CASE("autograd/tape: x used twice collects both contributions") {
  Tape tape;
  const Tensor x = tape.watch(tensor({1.5, -2.0}, float64));
  CHECK(equal(tape.gradient(sum(x * x))[x], tensor({3.0, -4.0}, float64)));
  CHECK(equal(tape.gradient(sum(cat({x, x}) * tensor({1, 2, 3, 4}, float64)))[x], tensor({4, 6}, float64)));
  CHECK(equal(tape.gradient(matmul(x, x))[x], tensor({3.0, -4.0}, float64)));
}

// FAULTS 66
TEST_CASE("autograd/tape: detach lets no gradient through") {
  const Parameter p(d(3));
  Tape tape;
  CHECK(tape.gradient(p.detach() * p)[p].item<double>() == 3);
  const Tensor y = p * p;
  const Gradients g = tape.gradient(y.detach() * p);
  CHECK(g[p].item<double>() == 9);
  CHECK_THROWS_AS(tape.gradient(p.detach() * 2.0), GraphError);
}

TEST_CASE("autograd/tape: an inner tape pauses the outer one") {
  const Parameter p(d(3));
  Tape outer;
  const Tensor y = p * p;
  {
    Tape inner;
    const Tensor z = p * p * p;
    CHECK(inner.size() == 2);
    CHECK(outer.size() == 1);
    CHECK(inner.gradient(z)[p].item<double>() == 27);
  }
  const Tensor w = y * p;
  CHECK(outer.size() == 2);
  CHECK(outer.gradient(w)[p].item<double>() == 27);
}

// FAULTS 56 FAULTS 57
TEST_CASE("autograd/tape: a dead tape's result is a constant") {
  const Parameter p(d(3));
  Tensor state;
  {
    Tape tape;
    state = p * p;
  }
  CHECK(state.item<double>() == 9);
  Tape tape;
  const Tensor y = state * p;
  CHECK(tape.gradient(y)[p].item<double>() == 9);
  CHECK(message_of<GraphError>([&] { tape.gradient(state); }).find("did not record") != std::string::npos);
}

// FAULTS 56
TEST_CASE("autograd/tape: an operand of another live tape is an error naming both") {
  const Parameter p(d(3));
  Tape outer;
  const Tensor y = p * p;
  Tape inner;
  const std::string message = message_of<GraphError>([&] { y* p; });
  CHECK(message.find("[mul] operand a was recorded on tape " + std::to_string(outer.serial())) !=
        std::string::npos);
  CHECK(message.find("tape " + std::to_string(inner.serial()) + " is recording") != std::string::npos);
  CHECK(message.find("(tape_test.cpp:") != std::string::npos);
  CHECK(inner.size() == 0);
  // Detached, it is a constant; and without a tracked operand it is an error all the same.
  CHECK(inner.gradient(y.detach() * p)[p].item<double>() == 9);
  CHECK_THROWS_AS(y + 1.0, GraphError);
  CHECK_THROWS_AS(inner.gradient(y), GraphError);
}

TEST_CASE("autograd/tape: an operand of a live tape of another thread is an error") {
  const Parameter p(d(3));
  Tape tape;
  const Tensor y = p * p;
  std::string message;
  std::thread([&] {
    Tape other;
    message = message_of<GraphError>([&] { y* p; });
  }).join();
  CHECK(message.find("tape " + std::to_string(tape.serial()) + ", which is alive") != std::string::npos);
}

// FAULTS 47
TEST_CASE("autograd/tape: gradient keeps the records and gives the same bits again") {
  const Parameter w(Rng(1).normal({3, 4}, float64));
  Tape tape;
  const Tensor loss = sum(tanh(matmul(w, tensor({1, 2, 3, 4}, float64))));
  const Gradients first = tape.gradient(loss);
  const size_t records = tape.size();
  const Gradients second = tape.gradient(loss);
  CHECK(tape.size() == records);
  CHECK(equal(first[w], second[w]));
  CHECK(first.size() == 1);
}

// FAULTS 47
TEST_CASE("autograd/tape: a moved-from tape has freed its records") {
  const Parameter p(d(3));
  Tape tape;
  const Tensor y = p * p;
  const Tensor z = y * p;
  CHECK(std::move(tape).gradient(z)[p].item<double>() == 27);
  CHECK(message_of<GraphError>([&] { tape.gradient(z); }).find("records freed") != std::string::npos);
  CHECK(message_of<GraphError>([&] { std::move(tape).gradient(z); }).find("records freed") !=
        std::string::npos);
  // The values are still there for whoever holds them.
  CHECK(y.item<double>() == 9);
}

// FAULTS 61
TEST_CASE("autograd/tape: several outputs with cotangents") {
  Tape tape;
  const Tensor x = tape.watch(tensor({1.0, 2.0}, float64));
  const Tensor a = x * x;
  const Tensor b = sum(exp(x));
  const Tensor ca = tensor({0.5, -1.0}, float64);
  const Gradients g = tape.gradient({a, b}, {ca, d(2)});
  const Tensor expected = ca * 2.0 * x.detach() + 2.0 * exp(x.detach());
  CHECK(allclose(g[x], expected, 1e-15, 0));
  // One output listed twice counts twice; an undefined cotangent is 1.
  CHECK(allclose(tape.gradient({b, b}, {d(2), Tensor()})[x], 3.0 * exp(x.detach()), 1e-15, 0));
  CHECK_THROWS_AS(tape.gradient({a, b}, {ca}), GraphError);
}

// FAULTS 61
TEST_CASE("autograd/tape: an output that is a leaf has its cotangent as gradient") {
  Tape tape;
  const Tensor x = tape.watch(tensor({1.0, 2.0}, float64));
  const Tensor c = tensor({0.5, -1.0}, float64);
  CHECK(equal(tape.gradient(x, c)[x], c));
  const Parameter p(d(4));
  const Tensor leaf = p;
  CHECK(tape.gradient(leaf)[p].item<double>() == 1);
}

TEST_CASE("autograd/tape: gradients of intermediates by watch") {
  const Parameter p(d(3));
  Tape tape;
  const Tensor y = tape.watch(p * p);
  const Tensor z = y * p;
  const Gradients g = tape.gradient(z);
  CHECK(g[y].item<double>() == 3);
  CHECK(g[p].item<double>() == 27);
  CHECK(tape.gradient(y)[y].item<double>() == 1);
  // An intermediate that nobody watched is not kept.
  const Tensor u = z * 2.0;
  CHECK_THROWS_AS(tape.gradient(u)[z], GraphError);
}

// FAULTS 60
TEST_CASE("autograd/tape: an x that took no part") {
  const Parameter p(d(3), "weight");
  const Parameter q(tensor({1.0, 2.0}, float64), "bias");
  Tape tape;
  const Tensor x = tape.watch(zeros({2, 2}, float64));
  const Gradients g = tape.gradient(p * p);
  const auto here = [](int line) { return "(tape_test.cpp:" + std::to_string(line) + ")"; };
  int line = __LINE__ + 1;
  std::string message = message_of<GraphError>([&] { g[q]; });
  CHECK(message == "[gradients] \"bias\" took no part in the result; get_or_zeros gives zeros " + here(line));
  line = __LINE__ + 1;
  message = message_of<GraphError>([&] { g[x]; });
  CHECK(
      message ==
      "[gradients] float64[2, 2] took no part in the result, or was not watched; get_or_zeros gives zeros " +
          here(line));
  CHECK(equal(g.get_or_zeros(q), zeros({2}, float64)));
  CHECK(equal(g.get_or_zeros(x), zeros({2, 2}, float64)));
  CHECK(g.find(x) == nullptr);
  CHECK_FALSE(g.contains(q));
  CHECK(g.contains(p));
  const std::vector<CellRef> missing = unused({p.ref(), q.ref()}, g);
  REQUIRE(missing.size() == 1);
  CHECK(missing[0].name() == "bias");
}

// FAULTS 48
TEST_CASE("autograd/tape: gradients add up") {
  const Parameter p(tensor({1.0, 2.0}, float64));
  const Parameter q(d(5));
  Tape tape;
  Gradients g = tape.gradient(sum(p * p));
  const Tensor held = g[p];
  g += g;
  CHECK(equal(g[p], tensor({4.0, 8.0}, float64)));
  CHECK(equal(held, tensor({2.0, 4.0}, float64)));
  g += tape.gradient(q * 2.0);  // taken over
  CHECK(g[q].item<double>() == 2);
  g *= 0.5;
  CHECK(equal(g[p], tensor({2.0, 4.0}, float64)));
  CHECK(g.size() == 2);
}

// FAULTS 55
TEST_CASE("autograd/tape: a parameter that changed since is an error") {
  Parameter p(d(3), "weight");
  Tape tape;
  const Tensor y = p * p;
  p = d(4);
  const std::string message = message_of<GraphError>([&] { tape.gradient(y); });
  CHECK(message.find("parameter \"weight\" changed since it was recorded: version 0 then, 1 now") !=
        std::string::npos);
  CHECK(y.item<double>() == 9);
  Tape next;
  CHECK(next.gradient(p * p)[p].item<double>() == 8);
}

// FAULTS 29 FAULTS 31 FAULTS 49 FAULTS 50
TEST_CASE("autograd/tape: what gradient refuses") {
  Tape tape;
  CHECK(message_of<GraphError>([&] { tape.gradient(d(3)); }).find("no leaf watched") != std::string::npos);
  CHECK_THROWS_AS(tape.watch(tensor({1, 2})), DTypeError);
  CHECK_THROWS_AS(tape.watch(tensor({true})), DTypeError);
  CHECK_THROWS_AS(tape.watch(Tensor()), ArgumentError);
  const Tensor x = tape.watch(tensor({1.0, 2.0}, float64));
  const Tensor y = x * 2.0;
  CHECK(message_of<GraphError>([&] { tape.gradient(y); }).find("float64[2]") != std::string::npos);
  CHECK_THROWS_AS(tape.gradient(y, zeros({3}, float64)), ShapeError);
  CHECK_THROWS_AS(tape.gradient(y, zeros({2, 1}, float64)), ShapeError);
  CHECK_THROWS_AS(tape.gradient(y, zeros({2}, float32)), DTypeError);
  CHECK_THROWS_AS(tape.gradient(Tensor()), Error);
  CHECK_THROWS_AS(tape.gradient(d(1)), GraphError);
  // None of it broke the tape.
  CHECK(equal(tape.gradient(y, ones({2}, float64))[x], full({2}, 2, float64)));
}

// FAULTS 65
TEST_CASE("autograd/tape: an exception while recording leaves the outer tape current") {
  const Parameter p(d(3));
  Tape outer;
  CHECK_THROWS_AS(
      [&] {
        Tape inner;
        (void)(p * p);
        throw std::runtime_error("stop");
      }(),
      std::runtime_error);
  CHECK(outer.size() == 0);
  const Tensor y = p * p;
  CHECK_THROWS_AS(y + zeros({2}, float32), DTypeError);
  CHECK(outer.size() == 1);
  CHECK(outer.gradient(y)[p].item<double>() == 6);
}

TEST_CASE("autograd/tape: tapes that end out of order") {
  const Parameter p(d(3));
  auto first = std::make_unique<Tape>();
  auto second = std::make_unique<Tape>();
  first.reset();
  const Tensor y = p * p;
  CHECK(second->size() == 1);
  CHECK(second->gradient(y)[p].item<double>() == 6);
  second.reset();
  (void)(p * p);
  CHECK(y.item<double>() == 9);
}

TEST_CASE("autograd/tape: serials are 64-bit and never reused") {
  static_assert(sizeof(std::declval<const Tape&>().serial()) == 8);
  uint64_t before = 0;
  for (int i = 0; i < 3; ++i) {
    Tape tape;
    CHECK(tape.serial() > before);
    before = tape.serial();
  }
}
