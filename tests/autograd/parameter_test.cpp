// Cells: identity, copies, assignment, versions, snapshots, buffers, in-place updates.

#include <doctest/doctest.h>

#include <string>
#include <type_traits>
#include <utility>

#include "autograd/autograd.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using tapegrad::testing::message_of;

namespace {
Tensor list(double a, double b) { return tensor({a, b}, float64); }
}  // namespace

TEST_CASE("autograd/parameter: construction and names") {
  const Parameter w(list(1, 2), "weight");
  CHECK(w.name() == "weight");
  CHECK(w.shape() == Shape{2});
  CHECK(w.dtype() == float64);
  CHECK(w.numel() == 2);
  CHECK(w.defined());
  const Parameter unnamed(list(1, 2));
  CHECK(unnamed.name() == "parameter " + std::to_string(unnamed.ref().id()));
  CHECK_FALSE(unnamed.ref().named());
  unnamed.ref().set_name("layers.0.weight");
  CHECK(unnamed.name() == "layers.0.weight");
  CHECK_FALSE(Parameter().defined());
  CHECK_THROWS_AS(Parameter(tensor({1, 2})), DTypeError);
  CHECK_THROWS_AS(Parameter(tensor({true})), DTypeError);
  CHECK_THROWS_AS(Parameter{Tensor()}, ArgumentError);
}

TEST_CASE("autograd/parameter: moving keeps the cell, copying clones it") {
  Parameter w(list(1, 2), "weight");
  const uint64_t id = w.ref().id();
  const Parameter copy = w;
  CHECK(copy.ref().id() != id);
  CHECK(copy.name() == "weight");
  CHECK(equal(copy.value(), w.value()));
  const Parameter moved = std::move(w);
  CHECK(moved.ref().id() == id);
  CHECK_FALSE(w.defined());
  w = copy;
  CHECK(w.ref().id() != copy.ref().id());
  Parameter other(list(7, 8));
  const uint64_t other_id = other.ref().id();
  other = moved;  // into place
  CHECK(other.ref().id() == other_id);
  CHECK(equal(other.value(), list(1, 2)));
  CHECK(other.ref().version() == 1);
  other = *&other;
  CHECK(other.ref().version() == 1);
}

TEST_CASE("autograd/parameter: assignment writes in place and raises the version") {
  Parameter w(list(1, 2), "weight");
  const CellRef ref = w.ref();
  const Tensor snapshot = w;
  CHECK(ref.version() == 0);
  w = list(3, 4);
  CHECK(ref.version() == 1);
  CHECK(equal(ref.value(), list(3, 4)));
  CHECK(equal(snapshot, list(1, 2)));
  assign(ref, list(5, 6));
  CHECK(equal(w.value(), list(5, 6)));
  CHECK(ref.version() == 2);
  CHECK(message_of<ShapeError>([&] { w = zeros({3}, float64); }).find("the cell holds float64[2]") !=
        std::string::npos);
  CHECK_THROWS_AS(w = zeros({2}, float32), DTypeError);
  CHECK_THROWS_AS(w = Tensor(), ArgumentError);
  CHECK(ref.version() == 2);
  CHECK(equal(w.value(), list(5, 6)));
}

TEST_CASE("autograd/parameter: an update is in place only when nobody else sees the memory") {
  const Op& mul_add = *find_op("mul_add");
  const Parameter w(list(1, 2));
  const Tensor step = list(10, 20);
  {
    const void* memory = w.value().handle()->data;
    update(w.ref(), mul_add, {step, -0.1, w});
    CHECK(allclose(w.value(), list(0, 0), 1e-15, 1e-15));
    CHECK(w.value().handle()->data == memory);
    CHECK(w.ref().version() == 1);
  }
  const Tensor snapshot = w;
  const Tensor before = snapshot + 0.0;
  update(w.ref(), mul_add, {step, 1.0, w});
  CHECK(equal(snapshot, before));
  CHECK(allclose(w.value(), step, 1e-15, 1e-15));
  CHECK(w.value().handle()->data != snapshot.handle()->data);
}

TEST_CASE("autograd/parameter: a snapshot taken inside a tape survives an update too") {
  const Parameter w(list(1, 2));
  Tensor best;
  {
    Tape tape;
    best = w;
    const Tensor loss = sum(best * best);
    const Tensor g = tape.gradient(loss)[w];
    CHECK(equal(g, list(2, 4)));
    update(w.ref(), *find_op("mul_add"), {g, -0.5, w});
  }
  CHECK(equal(best, list(1, 2)));
  CHECK(equal(w.value(), list(0, 0)));
}

TEST_CASE("autograd/parameter: an update is not recorded, and it must fit") {
  const Parameter w(list(1, 2));
  Tape tape;
  update(w.ref(), *find_op("mul_add"), {w, 2.0, w});
  CHECK(tape.size() == 0);
  CHECK(equal(w.value(), list(3, 6)));
  CHECK_THROWS_AS(update(w.ref(), *find_op("sum"), {w}), Error);
  CHECK_THROWS_AS(update(w.ref(), *find_op("add"), {w, zeros({3}, float64)}), ShapeError);
  CHECK(equal(w.value(), list(3, 6)));
  // The tape still records.
  CHECK(tape.gradient(sum(w * w))[w].defined());
}

TEST_CASE("autograd/parameter: gradients go by cell, not by memory") {
  const Tensor shared = list(1, 2);
  const Parameter a(shared);
  const Parameter b(shared);
  Tape tape;
  const Gradients g = tape.gradient(sum(a * 2.0 + b * 3.0));
  CHECK(equal(g[a], list(2, 2)));
  CHECK(equal(g[b], list(3, 3)));
  CHECK(equal(shared, list(1, 2)));
}

TEST_CASE("autograd/parameter: a buffer is a constant that can change") {
  Buffer mean(tensor({1, 2}), "mean");
  CHECK(mean.name() == "mean");
  CHECK(mean.value().dtype() == int64);
  mean = tensor({3, 4});
  CHECK(mean.ref().version() == 1);
  CHECK_THROWS_AS(mean = zeros({2}), DTypeError);
  const Buffer copy = mean;
  CHECK(copy.ref().id() != mean.ref().id());
  const Buffer scale(list(2, 3));
  Tape tape;
  CHECK((scale * scale).defined());
  CHECK(tape.size() == 0);
  const Tensor x = tape.watch(list(1, 1));
  const Tensor y = x * scale;
  CHECK(equal(tape.gradient(y, list(1, 1))[x], list(2, 3)));
}

TEST_CASE("autograd/parameter: assign names the line of its caller, or none where it cannot know it") {
  Parameter w(list(1, 2), "w");
  const int line = __LINE__ + 1;
  const std::string message = testing::message_of<ShapeError>([&] { assign(w.ref(), ones({3}, float64)); });
  CHECK(message.find("(parameter_test.cpp:" + std::to_string(line) + ")") != std::string::npos);
  const std::string other = testing::message_of<ShapeError>([&] { w = ones({3}, float64); });
  CHECK(other.find(".cpp:") == std::string::npos);
}

TEST_CASE("autograd/parameter: the value is kept when a recorded tensor is assigned") {
  Parameter w(list(1, 2));
  Tape tape;
  const Tensor x = tape.watch(list(3, 4));
  w = x * x;
  CHECK(equal(w.value(), list(9, 16)));
  // A constant from then on: no gradient flows into what was assigned.
  const Gradients g = tape.gradient(sum(w * 2.0));
  CHECK(equal(g[w], list(2, 2)));
  CHECK(g.find(x) == nullptr);
}

static_assert(std::is_nothrow_move_constructible_v<Parameter>);
static_assert(std::is_nothrow_move_constructible_v<Tensor>);
static_assert(!std::is_convertible_v<Tensor, Parameter>);
