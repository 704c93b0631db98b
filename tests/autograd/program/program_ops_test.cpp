// Every op, and random graphs of them: the program has the bits of eager, and no two live buffers overlap.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "autograd/autograd.h"
#include "autograd/program/plan.h"
#include "tests/kernels/kernel_data.h"
#include "tests/support/nearness.h"
#include "tests/support/op_function.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

struct EagerRun {
  Tensor value;
  Gradients gradients;
};

template <class F>
void check_same(const F& f, const ParameterList& cells, Program program, const std::string& what) {
  INFO(what);
  program.check_every(0);
  Tape tape;
  const Tensor value = f();
  const Gradients gradients = tape.gradient(value);
  for (int threads = 1; threads <= 3; ++threads) {
    set_num_threads(threads);
    const ProgramResult result = program();
    CHECK(same_bits(result.value, value));
    REQUIRE(result.gradients.size() == gradients.size());
    for (const CellRef& cell : cells) {
      const Tensor* mine = result.gradients.find(cell);
      const Tensor* theirs = gradients.find(cell);
      REQUIRE((mine == nullptr) == (theirs == nullptr));
      if (mine != nullptr) CHECK(same_bits(*mine, *theirs));
    }
  }
}

// Whether two targets are as near each other as the op's bound allows: each is off by no more than that.
// Gives the number of elements that differ.
size_t check_near(const Op& op, const Tensor& a, const Tensor& b, DType dtype, const std::string& what) {
  INFO(what);
  REQUIRE(a.shape() == b.shape());
  const bool by_element = is_held_by_element(op, dtype);
  const double ulp = ulp_of(op, dtype);
  if (!is_floating(a.dtype())) {
    CHECK(equal(a, b));
    return 0;
  }
  const std::vector<double> x = cast(a, float64).to_vector<double>(),
                            y = cast(b, float64).to_vector<double>();
  size_t different = 0;
  double scale = 1;
  for (const double v : y) scale = std::isfinite(v) ? std::max(scale, std::fabs(v)) : scale;
  for (size_t i = 0; i < x.size(); ++i) {
    if (same_special(x[i], y[i])) continue;
    ++different;
    INFO("element " << i << ": " << x[i] << " and " << y[i]);
    const double larger = std::max(std::fabs(x[i]), std::fabs(y[i]));
    // Rounded correctly, there is one right value.
    const double each = by_element && ulp <= 0.5 ? 0
                        : by_element             ? ulp * last_place(larger, a.dtype())
                                                 : kRoundings * last_place(scale, a.dtype());
    CHECK(std::fabs(x[i] - y[i]) <= 2 * each);
  }
  return different;
}

// A number from 0 to below n.
int64_t pick(Rng& rng, int64_t n) { return rng.integers({}, 0, n).item<int64_t>(); }

// A number, a matrix and a vector, for random graphs.
std::vector<Parameter> small_cells(Rng& rng) {
  std::vector<Parameter> cells;
  for (const Shape& shape : {Shape{}, Shape{3, 3}, Shape{5}}) cells.emplace_back(rng.normal(shape, float64));
  return cells;
}

// A graph of `size` ops over the cells, of a few shapes that meet by broadcasting, matmul and reductions.
Tensor random_graph(uint64_t seed, int size, const std::vector<Parameter>& cells) {
  Rng rng(seed);
  std::vector<Tensor> pool;
  for (const Parameter& cell : cells) pool.push_back(cell);
  auto any = [&]() -> const Tensor& {
    return pool[static_cast<size_t>(pick(rng, static_cast<int64_t>(pool.size())))];
  };
  for (int k = 0; k < size; ++k) {
    const Tensor a = any();
    const int64_t which = pick(rng, 14);
    if (which < 5) {
      Tensor b = any();
      if (!(a.shape() == b.shape()) && b.numel() != 1) b = a;
      pool.push_back(which == 0   ? a + b
                     : which == 1 ? a * b
                     : which == 2 ? a - b
                     : which == 3 ? maximum(a, b)
                                  : a / (1.5 + b * b));
    } else if (which == 5) {
      pool.push_back(tanh(a));
    } else if (which == 6) {
      pool.push_back(sigmoid(a) * 0.5);
    } else if (which == 7) {
      pool.push_back(where(a > 0.0, a, exp(a) - 1.0));
    } else if (which == 8) {
      pool.push_back(a.rank() == 2 ? matmul(a, a, true, false) * 0.1 : a);
    } else if (which == 9) {
      pool.push_back(mean(a));
    } else if (which == 10) {
      pool.push_back(a.rank() == 2 ? transpose(a, 0, 1) : relu(a));
    } else if (which == 11) {
      pool.push_back(a.rank() > 0 ? softmax(a, -1) : square(a));
    } else if (which == 12) {
      pool.push_back(a.rank() > 0 ? sum(a, Dims{-1}, true) + a : -a);
    } else {
      pool.push_back(reshape(a, {-1}));
    }
  }
  Tensor loss = sum(pool.back());
  for (size_t i = pool.size() - std::min<size_t>(pool.size(), 4); i < pool.size(); ++i)
    loss = loss + mean(tanh(pool[i]));
  return loss;
}

}  // namespace

TEST_CASE("autograd/program_ops: every op's samples on every vector target, value and gradients") {
  const int threads = num_threads();
  size_t programs = 0, different = 0;
  for (const Op* op : all_ops()) {
    if (op->flags.writes_state) continue;
    for (DType dtype : {float32, float64}) {
      const Samples samples = samples_of(*op, dtype);  // made on one target: a backward op's y among them
      for (size_t s = 0; s < samples.samples().size(); ++s) {
        const Sample& sample = samples.samples()[s];
        const std::string what = std::string(op->name) + " #" + std::to_string(s);
        std::vector<Parameter> cells;
        ParameterList list;
        for (const Tensor& x : sample.inputs) {
          if (!is_floating(x.dtype())) continue;
          cells.emplace_back(x);
          list.push_back(cells.back().ref());
        }
        const Parameter extra(full({}, 0.5, dtype));
        list.push_back(extra.ref());
        auto outputs = [&] {
          std::vector<Tensor> inputs;
          size_t next = 0;
          for (const Tensor& x : sample.inputs) {
            inputs.push_back(is_floating(x.dtype()) ? Tensor(cells[next++]) : x);
          }
          return run(*op, inputs, sample.options.ref());
        };
        auto f = [&] {
          Tensor total = extra * 1.0;
          for (const Tensor& y : outputs()) total = total + sum(cast(y, dtype) * extra);
          return total;
        };
        std::vector<Tensor> best;
        kernel_tests::on_each_target([&](const std::string& target) {
          CAPTURE(target);
          check_same(f, list, capture(f), what);
          set_num_threads(1);
          if (best.empty()) best = outputs();
          const std::vector<Tensor> here = outputs();
          for (size_t k = 0; k < here.size(); ++k)
            different += check_near(*op, here[k], best[k], dtype, what);
        });
        ++programs;
      }
    }
  }
  set_num_threads(threads);
  CHECK(programs > 500);
  CHECK((kernels::target_count() == 1 || different > 100));
}

TEST_CASE("autograd/program_ops: random graphs on every vector target, value and gradients") {
  const int threads = num_threads();
  kernel_tests::on_each_target([&](const std::string& target) {
    CAPTURE(target);
    for (uint64_t seed = 0; seed < 1000; ++seed) {
      Rng rng(seed);
      std::vector<Parameter> cells = small_cells(rng);
      if (seed % 50 == 0) cells.emplace_back(rng.normal({150, 150}, float64));
      ParameterList list;
      for (const Parameter& cell : cells) list.push_back(cell.ref());
      auto f = [&] { return random_graph(seed, 5 + static_cast<int>(seed % 40), cells); };
      check_same(f, list, capture(f), "seed " + std::to_string(seed));
    }
  });
  set_num_threads(threads);
}

TEST_CASE("autograd/program_ops: activations that only scale a cotangent do so by their slope for 1") {
  const Op& scale = *find_op("pole_mul");
  for (const char* name : {"tanh", "sigmoid"}) {
    for (DType dtype : {float32, float64}) {
      Rng rng(5);
      const Tensor x = 6.0 * rng.normal({300}, dtype),
                   g = rng.normal({300}, dtype) * cast(rng.integers({300}, 0, 2), dtype);
      kernel_tests::on_each_target([&](const std::string& target) {
        CAPTURE(target);
        const Tensor y = run(*find_op(name), std::vector<Tensor>{x}, {})[0];
        const Op& backward = *find_op(std::string(name) + "_backward");
        const Tensor whole = run(backward, std::vector<Tensor>{g, x, y}, {})[0];
        const Tensor slope = run(backward, std::vector<Tensor>{full({300}, 1.0, dtype), x, y}, {})[0];
        CHECK(same_bits(whole, run(scale, std::vector<Tensor>{g, slope}, {})[0]));
      });
    }
  }
}

TEST_CASE("autograd/program_ops: a slope is computed early only where nobody else reads what it replaces") {
  Rng rng(6);
  const Parameter w(rng.normal({16, 16})), b(rng.normal({16}));
  const Tensor x = rng.normal({16});
  auto plain = [&](const Tensor& in) { return sum(tanh(linear(tanh(linear(in, w, b)), w, b))); };
  auto shared = [&](const Tensor& in) {
    const Tensor z = linear(in, w, b);
    return sum(tanh(z) * z);
  };
  CHECK(capture(plain, x).text().find("becomes the slope") != std::string::npos);
  CHECK(capture(shared, x).text().find("becomes the slope") == std::string::npos);
  const ParameterList list{w.ref(), b.ref()};
  check_same([&] { return plain(x); }, list, capture([&] { return plain(x); }), "plain");
  check_same([&] { return shared(x); }, list, capture([&] { return shared(x); }), "shared");
}

// The cotangent may be the operand itself, and where the run of pointwise calls before it is as long as one
// can be, the backward call stands apart from its activation.
TEST_CASE("autograd/program_ops: a slope is not computed in the place of its cotangent") {
  Rng rng(1);
  const Tensor x = rng.normal({8}), w = rng.normal({8, 8});
  for (int before = 56; before < 70; ++before) {
    CAPTURE(before);
    const auto f = [&](const Tensor& x0, const Tensor& w0) {
      Tape tape;
      Tensor hidden = matmul(w0, x0);
      for (int i = 0; i < before; ++i) hidden = abs(hidden);
      const Tensor z = tape.watch(hidden), y = tanh(z), q = matmul(w0, y);
      return tape.gradient(y, z.detach())[z] * q.detach();
    };
    Program program = capture_step({.check_every = 0}, f, x, w);
    const Tensor eager = f(x, w);
    for (int run = 0; run < 2; ++run) CHECK(same_bits(program(x, w).value, eager));
  }
}

TEST_CASE("autograd/program_ops: the memory of random graphs is known without running them") {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    INFO("seed ", seed);
    Rng rng(seed);
    std::vector<Parameter> cells;
    cells.emplace_back(rng.normal({}, float64));
    cells.emplace_back(rng.normal({30, 30}, float64));
    cells.emplace_back(rng.normal({500}, float64));
    auto f = [&] { return random_graph(seed, 5 + static_cast<int>(seed % 40), cells); };
    const MemoryPlan before = plan(f);
    Program program = capture(f);
    program.check_every(0);
    const ProgramResult run = program();
    // What the run holds, counted from what it gave.
    size_t results = 8;
    for (const Gradients::Entry& entry : run.gradients.entries())
      results += 8 * static_cast<size_t>(entry.gradient.numel());
    CHECK(before.arena == program.arena_bytes());
    CHECK(before.results <= results);  // gradients that are one tensor, or a cell's, are counted once
    CHECK(before.peak() == program.memory().peak());
  }
}

TEST_CASE("autograd/program_ops: no two live buffers overlap") {
  size_t shared = 0;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    Rng rng(seed);
    std::vector<Parameter> cells = small_cells(rng);
    detail::Trace trace;
    std::vector<uint32_t> results;
    {
      const detail::Tracing tracing(trace);
      Tape tape;
      const Tensor loss = random_graph(seed, 5 + static_cast<int>(seed % 40), cells);
      const Gradients g = tape.gradient(loss);
      results.push_back(trace.value_of(loss));
      for (const Gradients::Entry& entry : g.entries()) results.push_back(trace.value_of(entry.gradient));
    }
    const detail::Plan plan = detail::make_plan(trace, results);
    const std::string found = detail::overlap(plan);
    CHECK_MESSAGE(found.empty(), found << " of seed " << seed << "\n" << to_string(plan));
    size_t bytes = 0;
    for (const detail::Place& place : plan.places)
      bytes += place.home == detail::Home::arena ? place.bytes : 0;
    shared += bytes > plan.arena_bytes;
  }
  CHECK(shared > 500);  // so that there is something to check
}
