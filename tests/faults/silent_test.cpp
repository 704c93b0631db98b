// Faults that other engines have shipped without an error: indices, shapes, memory, threads. Those of values
// are in silent_numeric_test.cpp.

#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "optim/optim.h"
#include "tests/support/faults.h"
#include "tests/support/sanitizers.h"
#include "tests/support/test_op.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

// A field in kilobytes, such as VmRSS of /proc/self/status; 0 where there is none.
int64_t kilobytes(const char* path, const char* field) {
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) return 0;
  char line[256];
  long long found = 0;
  while (std::fgets(line, sizeof(line), file) != nullptr) {
    if (std::strncmp(line, field, std::strlen(field)) == 0)
      std::sscanf(line + std::strlen(field) + 1, "%lld", &found);
  }
  std::fclose(file);
  return found;
}

// An op whose second derivative has a wrong shape.
struct BadSecondBackward : DoublingOp {
  static constexpr std::string_view name = "bad_second_backward";
  static void vjp(Vjp& v) { v.add(0, zeros({v.numel(0) + 1}, v.dtype(0))); }
};
struct BadSecond : DoublingOp {
  static constexpr std::string_view name = "bad_second";
  static void vjp(Vjp& v) { v.add(0, apply(op<BadSecondBackward>, {v.g()})); }
};

// y[k] = x[index[k]] along dim 0 and its gradient by a loop.
std::vector<double> gathered_gradient(const std::vector<int64_t>& index, const std::vector<double>& c,
                                      size_t n) {
  std::vector<double> g(n, 0.0);
  for (size_t k = 0; k < index.size(); ++k) g[static_cast<size_t>(index[k])] += c[k];
  return g;
}

}  // namespace

TEST_CASE("faults/silent: silent class 1: gathering with duplicates adds") {
  Rng rng(101);
  const Tensor x = rng.normal({7}, float64), index = rng.integers({50}, 0, 7), c = rng.normal({50}, float64);
  const std::vector<double> expected =
      gathered_gradient(index.to_vector<int64_t>(), c.to_vector<double>(), 7);
  CHECK(gradient([&](const Tensor& t) { return gather(t, 0, index); }, x, c).to_vector<double>() == expected);
  CHECK(gradient([&](const Tensor& t) { return index_select(t, 0, index); }, x, c).to_vector<double>() ==
        expected);
  const Tensor rows =
      gradient([&](const Tensor& t) { return embedding(index, t); }, reshape(x, {7, 1}), reshape(c, {50, 1}));
  CHECK(rows.to_vector<double>() == expected);
}

TEST_CASE("faults/silent: silent class 2: writing with duplicates gives the gradient to the winner alone") {
  Rng rng(102);
  const Tensor x = rng.normal({7}, float64), index = rng.integers({20}, 0, 6),
               src = rng.normal({20}, float64);
  const Tensor c = rng.normal({7}, float64);
  std::vector<int64_t> winner(7, -1);
  for (int64_t k = 0; k < 20; ++k) winner[static_cast<size_t>(index[k].item<int64_t>())] = k;
  Tape tape;
  const Tensor tx = tape.watch(x), ts = tape.watch(src);
  const Tensor y = scatter(tx, 0, index, ts);
  const Gradients g = tape.gradient(y, c);
  std::vector<double> of_x(7), of_src(20), value(7);
  for (size_t i = 0; i < 7; ++i) {
    const double ci = c.data<double>()[i];
    const int64_t k = winner[i];
    of_x[i] = k < 0 ? ci : 0;
    value[i] = k < 0 ? x.data<double>()[i] : src.data<double>()[static_cast<size_t>(k)];
    if (k >= 0) of_src[static_cast<size_t>(k)] = ci;
  }
  CHECK(y.to_vector<double>() == value);
  CHECK(g[tx].to_vector<double>() == of_x);
  CHECK(g[ts].to_vector<double>() == of_src);
}

// Of the reductions into places (prod, amax, amin) there is none yet.
TEST_CASE("faults/silent: silent class 3: an index smaller than src") {
  const Tensor index = tensor({{2}, {0}});
  const Tensor c = Rng(103).normal({3, 2}, float64), start = Rng(104).normal({4, 2}, float64);
  for (bool add : {false, true}) {
    Tape tape;
    const Tensor x = tape.watch(Rng(105).normal({3, 2}, float64)), src = tape.watch(start);
    const Tensor y = add ? scatter_add(x, 0, index, src) : scatter(x, 0, index, src);
    const Gradients g = tape.gradient(y, c);
    Tensor expected = zeros({4, 2}, float64);
    expected = scatter(expected, 0, tensor({{0}}), reshape(c[2][0], {1, 1}));
    expected = scatter(expected, 0, tensor({{1}}), reshape(c[0][0], {1, 1}));
    CHECK(equal(g[src], expected));
    CHECK(y[1][1].item() == x[1][1].item());
  }
}

TEST_CASE("faults/silent: silent class 4: sums by segment with ids outside") {
  const Tensor zero = zeros({3}, float64), values = list({1, 2, 3});
  CHECK_THROWS_AS(index_add(zero, 0, tensor({0, -1, 2}), values), IndexError);
  CHECK_THROWS_AS(index_add(zero, 0, tensor({0, 1, 3}), values), IndexError);
  CHECK_THROWS_AS(scatter_add(zero, 0, tensor({0, 1, 3}), values), IndexError);
  CHECK(equal(index_add(zero, 0, tensor({2, 0, 2}), values), list({2, 0, 4})));
}

// There is no product by segment; this is one of gathered factors.
TEST_CASE("faults/silent: silent class 5: a product whose factors are gathered") {
  const Tensor index = tensor({{0, 1, 1}, {2, 0, 2}});
  const Tensor x = list({2, 0, -3}), c = list({5, 7});
  const Tensor g = gradient(
      [&](const Tensor& t) {
        return prod(gather(expand(t, {2, 3}), 1, index), Dims{1});
      },
      x, c);
  // x0·x1² and x2²·x0: slopes (x1², 2·x0·x1, 0) and (x2², 0, 2·x0·x2).
  CHECK(equal(g, list({7 * 9, 0, 7 * 2 * 2 * -3})));
}

TEST_CASE("faults/silent: silent class 6: repeated and transposed operands are like their copies") {
  Rng rng(106);
  const Tensor x = rng.normal({1, 5}, float64), w = rng.normal({3, 5}, float64),
               c = rng.normal({4, 3}, float64);
  const auto product = [&](const auto& left, const auto& right) {
    Tape tape;
    const Tensor a = tape.watch(x), b = tape.watch(w);
    const Gradients g = tape.gradient(matmul(left(a), right(b)), c);
    return cat({g[a], g[b]});
  };
  const auto copied = [](const Tensor& t) { return t * 1.0; };
  const Tensor direct = product(
      [](const Tensor& a) {
        return expand(a, {4, 5});
      },
      [](const Tensor& b) { return transpose(b, 0, 1); });
  CHECK(equal(direct, product(
                          [&](const Tensor& a) {
                            return copied(expand(a, {4, 5}));
                          },
                          [&](const Tensor& b) { return copied(transpose(copied(b), 0, 1)); })));
  const Tensor once = sum(matmul(c, w), Dims{0}, true);
  CHECK(allclose(direct[0], once[0], 1e-14, 1e-14));
}

TEST_CASE("faults/silent: silent class 7: what shares memory with a parameter does not change under it") {
  Parameter w(list({1, 2, 3, 4}), "w");
  const Tensor view = reshape(w.value(), {2, 2}), part = w.value()[1];
  optim::SGD sgd{{w.ref()}, {.learning_rate = 1}};
  for (int step = 0; step < 2; ++step) {
    Tape tape;
    const Tensor y = reshape(w, {2, 2});
    const Gradients g = tape.gradient(sum(y * y));
    sgd.step(g);
    CHECK(equal(g[w], step == 0 ? list({2, 4, 6, 8}) : list({-2, -4, -6, -8})));
  }
  CHECK(equal(w.value(), list({1, 2, 3, 4})));
  CHECK(equal(view, tensor({{1, 2}, {3, 4}}, float64)));
  CHECK(part.item() == 2);
}

TEST_CASE("faults/silent: silent class 8: a change of a parameter is noticed behind any view of it") {
  Parameter w(list({1, 2}), "w");
  for (const auto& view : std::vector<Tensor (*)(const Tensor&)>{
           [](const Tensor& t) {
             return reshape(t, {2, 1});
           },
           [](const Tensor& t) { return unsqueeze(t, 0); }, [](const Tensor& t) { return flatten(t); },
           [](const Tensor& t) { return t; }}) {
    Tape tape;
    const Tensor y = sum(square(view(w)));
    w = w.value() * 1.0;
    refuses<GraphError>([&] { tape.gradient(y); }, {"\"w\" changed since it was recorded"});
  }
}

TEST_CASE("faults/silent: silent class 9: gradients have the operands' shapes, for every broadcast") {
  const Shape shapes[] = {{}, {1}, {3}, {1, 3}, {2, 1}, {2, 3}, {1, 1, 1}, {4, 1, 3}, {1, 2, 1}};
  Rng rng(109);
  for (const Shape& sa : shapes) {
    for (const Shape& sb : shapes) {
      Shape joined;
      int axis = 0;
      REQUIRE(broadcast(sa, sb, joined, axis));
      Tape tape;
      const Tensor a = tape.watch(rng.normal(sa, float64)), b = tape.watch(rng.normal(sb, float64));
      const Tensor c = rng.normal(joined, float64);
      const Gradients g = tape.gradient(a * b, c);
      // Through copies of the full shape, summed down by plain reductions.
      const Tensor da = c * expand(b.detach(), joined), db = c * expand(a.detach(), joined);
      CHECK(g[a].shape() == sa);
      CHECK(g[b].shape() == sb);
      CHECK(allclose(g[a], sum_to_size(da, sa), 1e-15, 1e-15));
      CHECK(allclose(g[b], sum_to_size(db, sb), 1e-15, 1e-15));
      CHECK(sum(g[a]).item() == doctest::Approx(sum(da).item()).epsilon(1e-12));
    }
  }
}

TEST_CASE("faults/silent: silent class 10: sizes of 0") {
  const auto shape_of = [](const auto& f, const Shape& shape) {
    return gradient(f, zeros(shape, float64)).shape();
  };
  CHECK(shape_of([](const Tensor& t) { return matmul(t, zeros({0, 3}, float64)); }, {2, 0}) == Shape{2, 0});
  CHECK(shape_of([](const Tensor& t) { return matmul(zeros({3, 2}, float64), t); }, {2, 0}) == Shape{2, 0});
  CHECK(shape_of([](const Tensor& t) { return sum(t, Dims{1}); }, {2, 0}) == Shape{2, 0});
  CHECK(shape_of([](const Tensor& t) { return cumsum(t, 1); }, {2, 0}) == Shape{2, 0});
  CHECK(shape_of([](const Tensor& t) { return sort(t, 1).values; }, {2, 0}) == Shape{2, 0});
  CHECK(shape_of([](const Tensor& t) { return cat({t, ones({2, 3}, float64)}, 1); }, {2, 0}) == Shape{2, 0});
  CHECK(shape_of([](const Tensor& t) { return var(t, Dims{1}); }, {2, 0}) == Shape{2, 0});
  CHECK(shape_of([](const Tensor& t) { return norm(t, 2, Dims{1}); }, {2, 0}) == Shape{2, 0});
  // And what stands beside one is not lost.
  CHECK(equal(gradient(
                  [](const Tensor& t) {
                    return cat({zeros({2, 0}, float64), t}, 1);
                  },
                  zeros({2, 1}, float64), tensor({{5}, {6}}, float64)),
              tensor({{5}, {6}}, float64)));
}

TEST_CASE("faults/silent: silent class 16: a second derivative of a wrong shape") {
  Tape tape;
  const Tensor x = tape.watch(list({1, 2, 3}));
  const Tensor y = sum(square(apply(op<BadSecond>, {x})));
  CHECK(equal(tape.gradient(y)[x], list({8, 16, 24})));
  const Tensor g = tape.gradient(y, {.differentiable = true})[x];
  op_refuses<GraphError>("bad_second_backward", [&] { tape.gradient(sum(g)); },
                         {"float64[4]", "operand x", "float64[3]"});
}

TEST_CASE("faults/silent: silent class 20: memory that is used again, and each matrix of a batch") {
  Rng rng(120);
  const Tensor x = rng.normal({6, 4, 5}, float64), w = rng.normal({6, 5, 3}, float64),
               c = rng.normal({6, 4, 3}, float64);
  Tape tape;
  const Tensor a = tape.watch(x), b = tape.watch(w);
  const Tensor y = matmul(a, b);
  const Gradients g = tape.gradient(y, c);
  // Results that die, so that the pool hands their memory out again before the second sweep.
  for (int i = 0; i < 50; ++i) (void)(rng.normal({6, 4, 5}, float64) * 2.0);
  const Gradients again = tape.gradient(y, c);
  CHECK(equal(g[a], again[a]));
  CHECK(equal(g[b], again[b]));
  for (int64_t i = 0; i < 6; ++i) {
    CHECK(allclose(y[i], matmul(x[i], w[i]), 1e-14, 1e-14));
    CHECK(allclose(g[a][i], matmul(c[i], w[i], false, true), 1e-14, 1e-14));
    CHECK(allclose(g[b][i], matmul(x[i], c[i], true), 1e-14, 1e-14));
  }
}

// logaddexp's tie is FAULTS 84.
TEST_CASE("faults/silent: silent class 22: nested derivatives, and sums of many threads") {
  // d/dx (x · d/dy (x·y²)) at y = 3: the inner sweep must not see the outer variable as its own.
  Tape tape;
  const Tensor x = tape.watch(full({}, 2, float64)), y = tape.watch(full({}, 3, float64));
  const Tensor inner = tape.gradient(x * y * y, {.differentiable = true})[y];
  CHECK(inner.item() == 12);
  CHECK(tape.gradient(x * inner)[x].item() == 24);
  // No contribution is lost between threads: each has gradients of its own, added afterwards.
  const Parameter w(ones({3}, float64));
  std::vector<Gradients> parts(8);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < parts.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        Tape own;
        parts[t] += own.gradient(sum(w * static_cast<double>(t + 1)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Gradients all;
  for (const Gradients& part : parts) all += part;
  CHECK(equal(all[w], full({3}, 100 * 36, float64)));
}

TEST_CASE("faults/silent: silent class 23: tapes of several threads beside each other") {
  // Nothing to see unless the thread sanitizer looks; the bits are checked in any build.
  const Parameter w(Rng(123).normal({40, 30}));
  const Tensor x = Rng(124).normal({8, 30});
  const auto work = [&] {
    Tape tape;
    const Tensor y = sum(tanh(linear(x, w)));
    const Tensor first = tape.gradient(y, {.differentiable = true})[w];
    return tape.gradient(sum(square(first)))[w];
  };
  const Tensor expected = work();
  std::vector<int> same(6);
  std::vector<std::thread> threads;
  for (int& ok : same) {
    threads.emplace_back([&] {
      ok = 1;
      for (int i = 0; i < 10; ++i) ok = ok && equal(work(), expected);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int ok : same) CHECK(ok == 1);
}

TEST_CASE("faults/silent: silent class 24: second order sweeps in a loop keep no memory") {
  const Parameter w(Rng(125).normal({20, 20}));
  const auto step = [&] {
    Tape tape;
    const Tensor g = tape.gradient(sum(tanh(matmul(w, w))), {.differentiable = true})[w];
    CHECK(tape.gradient(sum(square(g)))[w].defined());
  };
  for (int i = 0; i < 200; ++i) step();
  const int64_t before = kilobytes("/proc/self/status", "VmRSS");
  for (int i = 0; i < (kSanitized ? 200 : 3000); ++i) step();
  // A leak of one [20, 20] tensor in each step would be 5 MB.
  if (!kSanitized) CHECK(kilobytes("/proc/self/status", "VmRSS") - before <= 1024);
}

TEST_CASE("faults/silent: silent class 27: more elements than 32 bits count") {
  if (kSanitized || kilobytes("/proc/meminfo", "MemAvailable") < 4'000'000) {
    MESSAGE("skipped: takes 2.2 GB, which this machine or build does not have free");
    return;
  }
  const int64_t n = (int64_t{1} << 31) + 3;
  const Tensor end = tensor({true, false, true});
  const Tensor x = pad(end, {n - 3, 0});
  CHECK(x.numel() == n);
  CHECK(equal(slice(x, 0, -3), end));
  CHECK(equal(index_select(x, 0, from_vector(std::vector<int64_t>{n - 1, n - 2, 0}, {3})),
              tensor({true, false, false})));
  CHECK(equal(gather(x, 0, from_vector(std::vector<int64_t>{n - 3}, {1})), tensor({true})));
}

TEST_CASE("faults/silent: silent class 28: each piece of a concatenation has its own part of the gradient") {
  Rng rng(128);
  Tape tape;
  const Tensor a = tape.watch(rng.normal({2, 3}, float64)), b = tape.watch(rng.normal({2, 1}, float64)),
               none = tape.watch(zeros({2, 0}, float64));
  const Tensor c = rng.normal({2, 7}, float64);
  const Gradients g = tape.gradient(cat({b, a, none, a}, 1), c);
  CHECK(equal(g[b], slice(c, 1, 0, 1)));
  CHECK(equal(g[a], slice(c, 1, 1, 4) + slice(c, 1, 4, 7)));
  CHECK(g[none].shape() == Shape{2, 0});
  const Tensor d = rng.normal({2, 2, 3}, float64);
  CHECK(equal(tape.gradient(stack({a, a * 2.0}, 1), d)[a],
              reshape(slice(d, 1, 0, 1), {2, 3}) + 2.0 * reshape(slice(d, 1, 1, 2), {2, 3})));
}

// Layer norm itself waits for the op; these are the reductions it is made of.
TEST_CASE("faults/silent: silent class 29: rows of any rank and any length, to the last element") {
  Rng rng(129);
  for (int64_t n : {1, 2, 7, 8, 9, 31, 33, 100, 1023, 1025}) {
    for (const Shape& shape : {Shape{n}, Shape{3, n}, Shape{2, 3, n}, Shape{1, 2, 1, 3, n}}) {
      const Tensor x = rng.normal(shape, float64), c = rng.normal(shape, float64);
      const int64_t rows = x.numel() / n;
      const auto normalise = [](const Tensor& t) {
        return (t - mean(t, Dims{-1}, true)) / sqrt(var(t, Dims{-1}, 0, true) + 1e-3);
      };
      for (int which = 0; which < 3; ++which) {
        const auto f = [&](const Tensor& t) {
          return which == 0 ? softmax(t, -1) : which == 1 ? log_softmax(t, -1) : normalise(t);
        };
        const Tensor whole = reshape(gradient(f, x, c), {rows, n});
        const Tensor flat_x = reshape(x, {rows, n}), flat_c = reshape(c, {rows, n});
        for (int64_t r = 0; r < rows; ++r) {
          CHECK(allclose(whole[r], gradient(f, flat_x[r], flat_c[r]), 1e-11, 1e-13));
        }
      }
    }
  }
}

// Checkpoints in files do not exist yet; what can be half done is a step.
TEST_CASE("faults/silent: silent class 30: a step that fails changes no parameter") {
  const Parameter a(list({1, 2}), "a"), b(list({3, 4}), "b");
  optim::SGD sgd{{a.ref(), b.ref()}, {.learning_rate = 0.5, .momentum = 0.5}};
  Gradients g;
  g.add({a.ref(), 0, 0, list({1, 1})});
  g.add({b.ref(), 0, 0, list({1, 1, 1})});
  refuses<ShapeError>([&] { sgd.step(g); }, {"\"b\"", "float64[3]", "float64[2]"});
  CHECK(equal(a.value(), list({1, 2})));
  CHECK(a.ref().version() == 0);
  CHECK(sgd.t() == 0);
}
