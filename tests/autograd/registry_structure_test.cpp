// What every VJP must be, whatever it computes, and independent of the number of threads.

#include <doctest/doctest.h>

#include <string>

#include "tests/support/op_function.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

// The VJP of one call: x watched, y recorded, and a sweep from a cotangent.
struct Swept {
  explicit Swept(const OpFunction& f) : x(watch_all(tape, f.variables())), y(f.joined(x)) {}

  std::vector<Tensor> vjp(const Tensor& c) {
    const Gradients g = tape.gradient(y, c);
    std::vector<Tensor> result;
    for (const Tensor& v : x) result.push_back(g.get_or_zeros(v));
    return result;
  }

  Tape tape;
  std::vector<Tensor> x;
  Tensor y;
};

Tensor cotangent(const Tensor& y, uint64_t seed) { return Rng(seed).normal(y.shape(), y.dtype()); }

// Calls visit(f, text) for every sample of every differentiable op that has a free operand.
template <class Visit>
void for_samples(DType dtype, const Visit& visit) {
  for (const Op* op : all_ops()) {
    if (op->vjp == nullptr) continue;
    const Samples samples = samples_of(*op, dtype);
    for (size_t i = 0; i < samples.samples().size(); ++i) {
      const OpFunction f(*op, samples.samples()[i]);
      if (f.variables().empty()) continue;
      const Tensor y = f.joined(f.variables());
      INFO(f.text(i));
      try {
        visit(f, y);
      } catch (const Error& error) {
        FAIL_CHECK(f.text(i) << " threw " << error.what());
      }
    }
  }
}

}  // namespace

// What every gradient keeps is checked by the verifier itself: 0 at 0, linear, repeatable, of the input's
// shape and dtype, without side effects, independent of what else is tracked, its own transpose. In float32
// it also compares with the float64 gradient.
TEST_CASE("autograd/registry_structure: no op breaks a rule that every gradient keeps") {
  for (DType dtype : {float32, float64}) {
    for_samples(dtype, [](const OpFunction& f, const Tensor&) {
      const Report report =
          gradcheck(f.op(), f.sample(), {.mode = GradcheckMode::projection, .projections = 1});
      CHECK_MESSAGE(report.faults().empty(), report.text());
    });
  }
}

TEST_CASE("autograd/registry_structure: a sweep that frees as it goes gives the same bits") {
  for (DType dtype : {float32, float64}) {
    for_samples(dtype, [](const OpFunction& f, const Tensor& y) {
      const Tensor c = cotangent(y, 3);
      Swept call(f);
      const std::vector<Tensor> g = call.vjp(c);
      const Gradients last = std::move(call.tape).gradient(call.y, c);
      for (size_t v = 0; v < g.size(); ++v) CHECK(same_bits(g[v], last.get_or_zeros(call.x[v])));
    });
  }
}

namespace {

struct ThreadCount {
  explicit ThreadCount(int n) : saved(num_threads()) { set_num_threads(n); }
  ~ThreadCount() { set_num_threads(saved); }
  int saved;
};

// The values and gradients of a call, in order.
std::vector<Tensor> everything(const OpFunction& f) {
  std::vector<Tensor> result = f.outputs(f.variables());
  if (f.op().vjp == nullptr || f.variables().empty()) return result;
  Swept call(f);
  const std::vector<Tensor> g = call.vjp(cotangent(call.y, 3));
  result.insert(result.end(), g.begin(), g.end());
  return result;
}

// Larger operands, so that the work is cut: sizes that are no multiple of any block.
std::vector<Sample> large_samples(const Op& op) {
  const Samples samples = samples_of(op, float32);
  Rng rng(5);
  for (const Sample& sample : samples.samples()) {
    // Samples of one shape throughout grow to a large one; their options stay.
    bool plain = true;
    for (const Tensor& x : sample.inputs)
      plain &= x.shape() == sample.inputs[0].shape() && x.rank() == 2 && x.numel() > 1;
    if (!plain || op.primal != nullptr) continue;
    Sample large = sample;
    const Shape shape = op.name == "matmul" ? Shape{300, 300} : Shape{301, 1003};
    bool fits = true;
    for (Tensor& x : large.inputs) {
      if (is_floating(x.dtype())) x = rng.uniform(shape, 0.3, 1.9);
      else if (x.dtype() == boolean) x = gt(rng.normal(shape), 0.0);
      else fits = false;
    }
    if (fits) return {large};
  }
  return {};
}

}  // namespace

TEST_CASE("autograd/registry_structure: the same bits for 1, 2 and 3 threads") {
  int large_ops = 0;
  for (const Op* op : all_ops()) {
    if (op->flags.writes_state) continue;
    const Samples samples = samples_of(*op, float32);
    std::vector<Sample> cases = samples.samples();
    for (Sample& large : large_samples(*op)) {
      // Options such as a target shape may not fit the larger operands; then this op has small cases only.
      try {
        run(*op, large.inputs, large.options.ref());
        cases.push_back(std::move(large));
        ++large_ops;
      } catch (const Error&) {
      }
    }
    for (size_t i = 0; i < cases.size(); ++i) {
      const OpFunction f(*op, cases[i]);
      INFO(f.text(i));
      std::vector<Tensor> one;
      {
        const ThreadCount threads(1);
        one = everything(f);
      }
      for (int n : {2, 3}) {
        const ThreadCount threads(n);
        const std::vector<Tensor> many = everything(f);
        REQUIRE(many.size() == one.size());
        for (size_t k = 0; k < one.size(); ++k) CHECK(same_bits(one[k], many[k]));
      }
    }
  }
  CHECK(large_ops >= 30);
}

TEST_CASE("autograd/registry_structure: whole steps have the same bits for 1, 2 and 3 threads") {
  auto step = [] {
    Rng rng(7);
    const Parameter w1(rng.normal({300, 257}));
    const Parameter w2(rng.normal({10, 300}));
    const Parameter b(rng.normal({300}));
    const Tensor x = rng.normal({513, 257});
    const Tensor target = rng.integers({513}, 0, 10);
    Tape tape;
    const Tensor loss = cross_entropy(linear(relu(linear(x, w1, b)), w2), target);
    const Gradients g = tape.gradient(loss);
    return std::vector<Tensor>{loss, g[w1], g[w2], g[b]};
  };
  const ThreadCount restore(1);
  const std::vector<Tensor> one = step();
  for (int n : {2, 3, 5}) {
    set_num_threads(n);
    const std::vector<Tensor> many = step();
    for (size_t k = 0; k < one.size(); ++k) CHECK(same_bits(one[k], many[k]));
  }
}
