// Indices outside, twice, too few and none at all. Rows of losses are in pending_test.cpp.

#include "autograd/samples.h"
#include "tests/support/faults.h"

using namespace tapegrad;
using namespace tapegrad::testing;

TEST_CASE("faults/indices: FAULTS 35: an index between brackets") {
  const Tensor x = list({10, 20, 30});
  CHECK(x[-3].item() == 10);
  op_refuses<IndexError>("select", [&] { return x[3]; }, {"index 3 is out of range for size 3"});
  op_refuses<IndexError>("select", [&] { return x[-4]; }, {"index -4 is out of range for size 3"});
  op_refuses<IndexError>("index_select",
                         [&] {
                           return index_select(x, 0, tensor({1, 3}));
                         },
                         {"index 3 at position 1 is outside [0, 3)"});
}

TEST_CASE("faults/indices: FAULTS 36: a negative entry of an index tensor, in every op alike") {
  const Tensor x = zeros({3, 2}), one = zeros({1, 2}), minus = tensor({{0, -1}});
  const auto negative = {std::string_view("index -1 at position 1 is outside [0, 3)")};
  op_refuses<IndexError>(
      "gather", [&] { return gather(x, 0, minus); }, negative);
  op_refuses<IndexError>(
      "scatter", [&] { return scatter(x, 0, minus, one); }, negative);
  op_refuses<IndexError>(
      "scatter_add", [&] { return scatter_add(x, 0, minus, one); }, negative);
  const Tensor flat = tensor({0, -1});
  op_refuses<IndexError>(
      "index_select", [&] { return index_select(x, 0, flat); }, negative);
  op_refuses<IndexError>(
      "index_add",
      [&] {
        return index_add(x, 0, flat, zeros({2, 2}));
      },
      negative);
  op_refuses<IndexError>(
      "embedding", [&] { return embedding(flat, x); }, negative);
  // Dims may be negative.
  CHECK(gather(x, -2, tensor({{0, 1}})).shape() == Shape{1, 2});
}

TEST_CASE("faults/indices: FAULTS 37: an index outside writes nothing, wherever it stands") {
  const Tensor weight = zeros({3, 2}), self = list({1, 2, 3});
  op_refuses<IndexError>("gather",
                         [&] {
                           return gather(self, 0, tensor({0, 1, 3}));
                         },
                         {"index 3 at position 2"});
  op_refuses<IndexError>("embedding",
                         [&] {
                           return embedding(tensor({{0, 1}, {2, 7}}), weight);
                         },
                         {"index 7 at position 3"});
  Tape tape;
  const Tensor x = tape.watch(self);
  const size_t values = tape.values();
  for (int64_t at : {0, 4999, 9999}) {
    std::vector<int64_t> places(10'000, 1);
    places[static_cast<size_t>(at)] = 3;
    const Tensor index = from_vector(places, {10'000});
    const Tensor src = ones({10'000}, float64);
    CHECK_THROWS_AS(scatter_add(x, 0, index, src), IndexError);
    CHECK_THROWS_AS(scatter(x, 0, index, src), IndexError);
    CHECK_THROWS_AS(index_add(x, 0, index, src), IndexError);
    CHECK(equal(self, list({1, 2, 3})));
    CHECK(equal(src, ones({10'000}, float64)));
  }
  CHECK(tape.size() == 0);
  CHECK(tape.values() == values);
}

TEST_CASE("faults/indices: FAULTS 38: entries that come twice add up in the gradient") {
  CHECK(equal(gradient(
                  [](const Tensor& t) {
                    return gather(t, 0, tensor({2, 0, 2, 2}));
                  },
                  list({1, 2, 3}), list({1, 10, 100, 1000})),
              list({10, 0, 1101})));
  CHECK(equal(gradient(
                  [](const Tensor& t) {
                    return index_select(t, 0, tensor({1, 1}));
                  },
                  list({1, 2}), list({3, 4})),
              list({0, 7})));
  const Tensor c = tensor({{1, 2}, {10, 20}, {100, 200}}, float64);
  CHECK(equal(gradient(
                  [](const Tensor& w) {
                    return embedding(tensor({1, 0, 1}), w);
                  },
                  zeros({3, 2}, float64), c),
              tensor({{10, 20}, {101, 202}, {0, 0}}, float64)));
}

TEST_CASE("faults/indices: FAULTS 39: of entries written to one place the last stays and has the gradient") {
  Tape tape;
  const Tensor x = tape.watch(list({1, 2, 3})), src = tape.watch(list({10, 20, 30}));
  const Tensor y = scatter(x, 0, tensor({1, 2, 1}), src);
  CHECK(equal(y, list({1, 30, 20})));
  const Gradients g = tape.gradient(y, list({5, 6, 7}));
  CHECK(equal(g[x], list({5, 0, 0})));
  CHECK(equal(g[src], list({0, 7, 6})));
}

TEST_CASE(
    "faults/indices: FAULTS 40: sums of entries to one place, the same bits for any number of threads") {
  CHECK(equal(scatter_add(list({0, 0}), 0, tensor({1, 1, 1}), list({1, 2, 4})), list({0, 7})));
  CHECK(equal(index_add(list({0, 0}), 0, tensor({0, 0}), list({1, 2})), list({3, 0})));
  Rng rng(40);
  const Tensor index = rng.integers({100'000}, 0, 7), src = rng.normal({100'000});
  const int threads = num_threads();
  set_num_threads(1);
  const Tensor serial = scatter_add(zeros({7}), 0, index, src);
  for (int n : {2, 5}) {
    set_num_threads(n);
    CHECK(equal(scatter_add(zeros({7}), 0, index, src), serial));
    CHECK(equal(index_add(zeros({7}), 0, index, src), serial));
  }
  set_num_threads(threads);
  // In the order of the index: what a plain loop gives.
  std::vector<float> sums(7, 0.0f);
  for (size_t i = 0; i < 100'000; ++i) {
    sums[static_cast<size_t>(index.data<int64_t>()[i])] += src.data<float>()[i];
  }
  CHECK(serial.to_vector<float>() == sums);
}

TEST_CASE("faults/indices: FAULTS 41: an index smaller than src reaches only the part it covers") {
  const Tensor index = tensor({{0, 1}, {2, 0}});
  const Tensor c = Rng(41).normal({3, 3}, float64);
  const auto at = [&](int64_t i, int64_t j) { return c[i][j].item(); };
  Tape tape;
  const Tensor x = tape.watch(zeros({3, 3}, float64)), src = tape.watch(Rng(42).normal({4, 3}, float64));
  const Tensor covered = tensor({{at(0, 0), at(1, 1), 0.0}, {at(2, 0), at(0, 1), 0.0}}, float64);
  const Tensor expected = cat({covered, zeros({2, 3}, float64)});
  CHECK(equal(tape.gradient(scatter_add(x, 0, index, src), c)[src], expected));
  CHECK(equal(tape.gradient(scatter(x, 0, index, src), c)[src], expected));
}

TEST_CASE("faults/indices: FAULTS 42: an empty index changes nothing") {
  Tape tape;
  const Tensor x = tape.watch(list({1, 2, 3})), src = tape.watch(zeros({0}, float64));
  const Tensor none = zeros({0}, int64), c = list({5, 6, 7});
  for (const Tensor& y :
       {scatter_add(x, 0, none, src), index_add(x, 0, none, src), scatter(x, 0, none, src)}) {
    CHECK(equal(y, list({1, 2, 3})));
    const Gradients g = tape.gradient(y, c);
    CHECK(equal(g[x], c));
    CHECK(equal(g[src], src));
  }
  CHECK(equal(tape.gradient(gather(x, 0, none), zeros({0}, float64))[x], zeros({3}, float64)));
  CHECK(embedding(zeros({0}, int64), zeros({3, 2})).shape() == Shape{0, 2});
}

TEST_CASE("faults/indices: FAULTS 45: the step of a slice") {
  const Tensor x = list({0, 1, 2, 3, 4});
  op_refuses<ArgumentError>("slice", [&] { return slice(x, 0, {}, {}, 0); }, {"step must not be 0"});
  CHECK(equal(slice(x, 0, {}, {}, -2), list({4, 2, 0})));
  CHECK(equal(gradient([](const Tensor& t) { return slice(t, 0, 3, 0, -2); }, x, list({5, 6})),
              list({0, 6, 0, 5, 0})));
}

TEST_CASE("faults/indices: FAULTS 46: the padding row of an embedding has gradient 0") {
  const Tensor index = tensor({1, 2, 1, 0});
  const Tensor c = Rng(46).normal({4, 2}, float64);
  const Tensor g =
      gradient([&](const Tensor& w) { return embedding(index, w, 1); }, Rng(47).normal({3, 2}, float64), c);
  CHECK(equal(g, stack({c[3], zeros({2}, float64), c[1]})));
  // Counted from the end it is the same row; its value is looked up like any other.
  const Tensor w = Rng(47).normal({3, 2}, float64);
  CHECK(equal(gradient([&](const Tensor& t) { return embedding(index, t, -2); }, w, c), g));
  CHECK(equal(embedding(index, w, 1), embedding(index, w)));
}
