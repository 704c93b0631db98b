// Threads with a tape each that share parameters: no races, and the bits of a serial run.

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

#include "autograd/autograd.h"

using namespace tapegrad;

namespace {

struct Network {
  Parameter w1{Rng(1).normal({20, 12}), "w1"};
  Parameter b1{Rng(2).normal({20}), "b1"};
  Parameter w2{Rng(3).normal({5, 20}), "w2"};
};

// Values and gradients of a small network on a batch of its own.
std::vector<Tensor> work(const Network& net, uint64_t seed) {
  Rng rng(seed);
  std::vector<Tensor> results;
  for (int step = 0; step < 10; ++step) {
    const Tensor x = rng.normal({16, 12});
    const Tensor target = rng.integers({16}, 0, 5);
    Tape tape;
    const Tensor loss = cross_entropy(linear(tanh(linear(x, net.w1, net.b1)), net.w2), target);
    const Gradients g = tape.gradient(loss);
    results.insert(results.end(), {loss, g[net.w1], g[net.b1], g[net.w2]});
  }
  return results;
}

bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (!equal(a[i], b[i])) return false;
  }
  return a.size() == b.size();
}

}  // namespace

TEST_CASE("autograd/threads: four tapes share read-only parameters") {
  constexpr size_t kThreads = 4;
  const Network net;
  std::vector<std::vector<Tensor>> serial, parallel(kThreads);
  for (size_t t = 0; t < kThreads; ++t) serial.push_back(work(net, 100 + t));
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) threads.emplace_back([&, t] { parallel[t] = work(net, 100 + t); });
  for (std::thread& thread : threads) thread.join();
  for (size_t t = 0; t < kThreads; ++t) CHECK(same(serial[t], parallel[t]));
  CHECK_FALSE(same(serial[0], serial[1]));
}

TEST_CASE("autograd/threads: gradients of threads add up to those of one") {
  const Parameter w(Rng(1).normal({6}, float64));
  const Tensor x = Rng(2).normal({4, 6}, float64);
  std::vector<Gradients> parts(4);
  std::vector<std::thread> threads;
  for (int64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Tape tape;
      parts[static_cast<size_t>(t)] = tape.gradient(square(matmul(x[t], w)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  Gradients all = parts[0];
  for (size_t t = 1; t < 4; ++t) all += parts[t];
  Tape tape;
  const Gradients whole = tape.gradient(sum(square(matmul(x, w))));
  CHECK(allclose(all[w], whole[w], 1e-13));
}

TEST_CASE("autograd/threads: tensors made on one thread are used and freed on others") {
  Tensor shared = Rng(1).normal({1000});
  std::vector<std::thread> threads;
  std::vector<double> sums(4);
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&sums, t, mine = shared] {
      Tensor x = mine;
      for (int i = 0; i < 200; ++i) x = x * 1.0 + 0.0;
      sums[t] = sum(x).item();
    });
  }
  shared = Tensor();
  for (std::thread& thread : threads) thread.join();
  for (size_t t = 1; t < 4; ++t) CHECK(sums[t] == sums[0]);
}

TEST_CASE("autograd/threads: a tape belongs to the thread that made it") {
  const Parameter w(ones({2}));
  Tape tape;
  std::thread([&] {
    // No tape records here.
    const Tensor y = w * 2.0;
    CHECK(y.numel() == 2);
    Tape own;
    (void)(w * w);
    CHECK(own.size() == 1);
  }).join();
  CHECK(tape.size() == 0);
}

TEST_CASE("autograd/threads: large ops called from several threads at once") {
  const Tensor a = Rng(1).normal({200, 300});
  const Tensor b = Rng(2).normal({300, 200});
  const Tensor x = Rng(3).normal({400, 500});
  auto everything = [&] {
    return std::vector<Tensor>{matmul(a, b), tanh(x), sum(x, Dims{0}), sum(x), softmax(x, -1)};
  };
  const std::vector<Tensor> expected = everything();
  std::vector<std::vector<Tensor>> results(3);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < results.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) results[t] = everything();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<Tensor>& result : results) CHECK(same(result, expected));
}

TEST_CASE("autograd/threads: the number of threads") {
  const int before = num_threads();
  CHECK(before >= 1);
  set_num_threads(3);
  CHECK(num_threads() == 3);
  CHECK_THROWS_AS(set_num_threads(0), ArgumentError);
  CHECK(num_threads() == 3);
  set_num_threads(before);
}
