// Misuse of tapes and rules. What tests/autograd/tape_test.cpp and vjp_test.cpp show already is marked there.

#include <stdexcept>
#include <utility>

#include "tests/support/faults.h"
#include "tests/support/test_op.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

// Writes a contribution for an operand that the record does not have.
struct WrongSlot : DoublingOp {
  static constexpr std::string_view name = "wrong_slot";
  static inline int slot = 1;
  static void vjp(Vjp& v) { v.add(slot, mul(v.g(), 2.0)); }
};
// Reads one.
struct WrongOperand : DoublingOp {
  static constexpr std::string_view name = "wrong_operand";
  static void vjp(Vjp& v) { v.add(0, mul(v.g(), v.input(1))); }
};
struct WrongOutput : DoublingOp {
  static constexpr std::string_view name = "wrong_output";
  static void vjp(Vjp& v) { v.add(0, v.g(1)); }
};

// y = 2x whose backward op has no derivative of its own.
struct OnceBackward {
  static constexpr std::string_view name = "once_backward", doc = "2g";
  static constexpr std::string_view operands[] = {"g", "x"};
  static constexpr Flags flags = {.non_differentiable = "written by hand, once"};
  static void shape(Call& call) { call.output_like(call.dtype(0), 0); }
  static void forward(Call& call) {
    for (int64_t i = 0; i < call.numel(0); ++i) call.out_data<double>()[i] = 2 * call.data<double>(0)[i];
  }
  static Cost cost(const Call&) { return {}; }
  static void samples(Samples&) {}
};
struct Once : DoublingOp {
  static constexpr std::string_view name = "once";
  static void vjp(Vjp& v) { v.add(0, apply(op<OnceBackward>, {v.g(), v.input(0)})); }
};

// Sweeps the tape that is being swept.
struct Reentrant : DoublingOp {
  static constexpr std::string_view name = "reentrant";
  static inline Tape* tape = nullptr;
  static inline Tensor other;
  static inline bool consume = false;
  static void vjp(Vjp& v) {
    const Gradients inner = consume ? std::move(*tape).gradient(other) : tape->gradient(other);
    v.add(0, mul(v.g(), cast(full({}, static_cast<double>(inner.size())), float64)));
  }
};

template <class T>
void refuses_in_a_sweep(std::initializer_list<std::string_view> gist) {
  const Parameter p(list({1, 2, 3}));
  Tape tape;
  const Tensor y = sum(apply(op<T>, {p}));
  op_refuses<GraphError>(
      T::name, [&] { tape.gradient(y); }, gist);
  // Nothing was written on the way and the tape goes on.
  CHECK(equal(tape.gradient(sum(p * 3.0))[p], list({3, 3, 3})));
}

}  // namespace

TEST_CASE("faults/graph: FAULTS 63: a rule that names an operand or output which is not there") {
  for (int slot : {1, 2, 30, 31, 40, -1}) {
    CAPTURE(slot);
    WrongSlot::slot = slot;
    refuses_in_a_sweep<WrongSlot>({"its VJP named operand " + std::to_string(slot), "there are 1"});
  }
  refuses_in_a_sweep<WrongOperand>({"its VJP named operand 1", "there are 1"});
  refuses_in_a_sweep<WrongOutput>({"its VJP named output 1", "there are 1"});
}

TEST_CASE("faults/graph: FAULTS 64: a rule that sweeps the tape which is being swept") {
  const Parameter p(list({1, 2, 3}));
  Tape tape;
  const Tensor y = sum(apply(op<Reentrant>, {p}));
  Reentrant::tape = &tape;
  Reentrant::other = sum(p * p);
  Reentrant::consume = false;
  CHECK(equal(tape.gradient(y)[p], list({1, 1, 1})));
  // To free the records under the outer sweep is an error, and nothing is freed.
  Reentrant::consume = true;
  refuses<GraphError>([&] { tape.gradient(y); }, {"a sweep of tape", "is running"});
  Reentrant::consume = false;
  CHECK(equal(tape.gradient(y)[p], list({1, 1, 1})));
  Reentrant::other = Tensor();
}

TEST_CASE("faults/graph: FAULTS 57: results that outlive their tape") {
  const Parameter p(list({3, 4}), "weight");
  Tensor y, leaf;
  Gradients g;
  {
    Tape tape;
    leaf = tape.watch(list({1, 2}));
    y = p * leaf;
    g = tape.gradient(sum(y));
  }
  CHECK(equal(y, list({3, 8})));
  CHECK(equal(g[leaf], list({3, 4})));
  Tape next;
  refuses<GraphError>([&] { next.gradient(y); }, {"no leaf watched"});
  const Tensor z = sum(y * p);
  CHECK(equal(next.gradient(z)[p], list({3, 8})));
  refuses<GraphError>([&] { next.gradient(y); }, {"did not record float64[2]"});
  CHECK(next.gradient(z).find(leaf) == nullptr);
}

TEST_CASE("faults/graph: FAULTS 68: a second derivative of an op that has none") {
  Tape tape;
  const Tensor x = tape.watch(list({1, 2, 3}));
  const Tensor y = sum(square(apply(op<Once>, {x})));
  CHECK(equal(tape.gradient(y)[x], list({8, 16, 24})));
  const Tensor g = tape.gradient(y, {.differentiable = true})[x];
  CHECK(equal(g, list({8, 16, 24})));
  op_refuses<GraphError>("once_backward", [&] { tape.gradient(sum(g)); },
                         {"has no derivative: written by hand, once"});
  // Also where other terms of the gradient could be differentiated, which alone would be silently too little.
  const Tensor both = sum(apply(op<Once>, {x}) * x);
  const Tensor h = tape.gradient(both, {.differentiable = true})[x];
  op_refuses<GraphError>("once_backward", [&] { tape.gradient(sum(h)); }, {"has no derivative"});
  // An index or a truth value has none either, but nothing can flow there.
  CHECK(equal(tape.gradient(sum(where(x > 1.5, x, 0.0)))[x], list({0, 1, 1})));
}
