// What every VJP must be, whatever it computes: linear in the cotangent, 0 at 0, repeatable to the bit, of
// its input's shape and dtype, without side effects, independent of what else is tracked and of the number of
// threads.

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "tests/support/op_function.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

std::vector<double> values(const Tensor& x) {
  if (x.dtype() == float64) return x.to_vector<double>();
  const std::vector<float> v = x.to_vector<float>();
  return {v.begin(), v.end()};
}

// The VJP of one call: x watched, y recorded, and a sweep from a cotangent.
struct Swept {
  explicit Swept(const OpFunction& f) : x(watch_all(tape, f.variables())), y(f.joined(x)) {}

  std::vector<Tensor> vjp(const Tensor& c, bool differentiable = false) {
    const Gradients g = tape.gradient(y, c, {.differentiable = differentiable});
    std::vector<Tensor> result;
    for (const Tensor& v : x) result.push_back(g.get_or_zeros(v));
    return result;
  }

  Tape tape;
  std::vector<Tensor> x;
  Tensor y;
};

Tensor cotangent(const Tensor& y, uint64_t seed) { return Rng(seed).normal(y.shape(), y.dtype()); }

double largest(const std::vector<double>& v) {
  double top = 0;
  for (double e : v) top = std::max(top, std::fabs(e));
  return top;
}

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

bool all_finite(const Tensor& y) {
  for (double v : values(y)) {
    if (!std::isfinite(v)) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("autograd/registry_structure: a VJP of 0 is 0") {
  for_samples(float64, [](const OpFunction& f, const Tensor& y) {
    Swept call(f);
    for (const Tensor& g : call.vjp(zeros(y.shape(), y.dtype()))) {
      for (double v : values(g)) CHECK(v == 0);
    }
  });
}

TEST_CASE("autograd/registry_structure: a VJP is linear in the cotangent") {
  for_samples(float64, [](const OpFunction& f, const Tensor& y) {
    Swept call(f);
    const Tensor c1 = cotangent(y, 1);
    const Tensor c2 = cotangent(y, 2);
    const double alpha = 1.7;
    const double beta = -0.6;
    const std::vector<Tensor> g1 = call.vjp(c1);
    const std::vector<Tensor> g2 = call.vjp(c2);
    const std::vector<Tensor> joint = call.vjp(alpha * c1 + beta * c2);
    for (size_t v = 0; v < joint.size(); ++v) {
      const std::vector<double> a = values(g1[v]);
      const std::vector<double> b = values(g2[v]);
      const std::vector<double> ab = values(joint[v]);
      const double scale = std::max(largest(a), largest(b));
      for (size_t i = 0; i < ab.size(); ++i)
        CHECK(std::fabs(ab[i] - (alpha * a[i] + beta * b[i])) <= 256 * 0x1p-53 * scale);
    }
  });
}

TEST_CASE(
    "autograd/registry_structure: the VJP's derivative by a cotangent of 0 is the derivative of the op") {
  for_samples(float64, [](const OpFunction& f, const Tensor& y) {
    if (y.numel() == 0 || !all_finite(y)) return;
    const Tensor c1 = cotangent(y, 1);
    // ⟨t, VJP(c1)⟩ for some direction t of x, by a sweep…
    Swept call(f);
    const std::vector<Tensor> g1 = call.vjp(c1);
    double by_sweep = 0;
    double scale = 0;
    std::vector<Tensor> directions;
    for (size_t v = 0; v < g1.size(); ++v) {
      directions.push_back(Rng(10 + v).normal(g1[v].shape(), g1[v].dtype()));
      const std::vector<double> g = values(g1[v]);
      const std::vector<double> t = values(directions[v]);
      for (size_t i = 0; i < g.size(); ++i) {
        by_sweep += g[i] * t[i];
        scale += std::fabs(g[i] * t[i]);
      }
    }
    // … and as ⟨c1, ∂/∂c ⟨t, VJP(c)⟩⟩ at c = 0, by a sweep through the sweep.
    const Tensor c = call.tape.watch(zeros(y.shape(), y.dtype()));
    const std::vector<Tensor> g = call.vjp(c, /*differentiable=*/true);
    const Tensor all = flatten(g);
    double by_second = 0;
    if (recorded(call.tape, all)) {
      const Tensor pushed = call.tape.gradient(all, flatten(directions)).get_or_zeros(c);
      const std::vector<double> p = values(pushed);
      const std::vector<double> w = values(c1);
      for (size_t i = 0; i < p.size(); ++i) {
        by_second += p[i] * w[i];
        scale += std::fabs(p[i] * w[i]);
      }
    }
    CHECK(std::fabs(by_sweep - by_second) <= 256 * 0x1p-53 * scale);
  });
}

TEST_CASE("autograd/registry_structure: shape, dtype and bits of gradients") {
  for (DType dtype : {float32, float64}) {
    for_samples(dtype, [](const OpFunction& f, const Tensor& y) {
      const Tensor c = cotangent(y, 3);
      Swept call(f);
      const std::vector<Tensor> g = call.vjp(c);
      for (size_t v = 0; v < g.size(); ++v) {
        CHECK(g[v].shape() == f.variables()[v].shape());
        CHECK(g[v].dtype() == f.variables()[v].dtype());
        CHECK_FALSE(recorded(call.tape, g[v]));
      }
      // Again, recorded, on a fresh tape, and by a sweep that frees as it goes: the same bits.
      const std::vector<Tensor> again = call.vjp(c);
      const std::vector<Tensor> differentiable = call.vjp(c, true);
      Swept fresh(f);
      const std::vector<Tensor> other = fresh.vjp(c);
      const Gradients last = std::move(fresh.tape).gradient(fresh.y, c);
      for (size_t v = 0; v < g.size(); ++v) {
        CHECK(same_bits(g[v], again[v]));
        CHECK(same_bits(g[v], differentiable[v]));
        CHECK(same_bits(g[v], other[v]));
        CHECK(same_bits(g[v], last.get_or_zeros(fresh.x[v])));
      }
    });
  }
}

TEST_CASE("autograd/registry_structure: forward and sweep leave operands, result and cotangent as they are") {
  auto copy = [](const Tensor& x) {
    return from_bytes(x.handle()->data, static_cast<size_t>(x.numel()), x.dtype(), x.shape());
  };
  for_samples(float64, [&](const OpFunction& f, const Tensor& y) {
    std::vector<Tensor> held;
    std::vector<Tensor> before;
    for (const Tensor& x : f.sample().inputs) held.push_back(x);
    const Tensor c = cotangent(y, 3);
    Swept call(f);
    held.push_back(call.y);
    held.push_back(c);
    for (const Tensor& x : held) before.push_back(copy(x));
    call.vjp(c);
    call.vjp(c, true);
    for (size_t i = 0; i < held.size(); ++i) CHECK(same_bits(held[i], before[i]));
  });
}

TEST_CASE("autograd/registry_structure: what else is tracked does not change a gradient") {
  for_samples(float64, [](const OpFunction& f, const Tensor& y) {
    if (f.variables().size() < 2) return;
    const Tensor c = cotangent(y, 3);
    Swept call(f);
    const std::vector<Tensor> all = call.vjp(c);
    for (size_t v = 0; v < all.size(); ++v) {
      Tape tape;
      std::vector<Tensor> x = f.variables();
      x[v] = tape.watch(x[v]);
      const Tensor partial = f.joined(x);
      if (!recorded(tape, partial)) {
        FAIL_CHECK("not recorded with variable " << v << " alone");
        continue;
      }
      CHECK(same_bits(partial, call.y));
      CHECK(same_bits(tape.gradient(partial, c).get_or_zeros(x[v]), all[v]));
    }
  });
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
