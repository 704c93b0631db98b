// The memory pool: alignment, reuse, threads that free what others allocated, bounded growth.

#include <doctest/doctest.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "autograd/autograd.h"
#include "autograd/storage.h"
#include "tests/support/sanitizers.h"

using namespace tapegrad;
using namespace tapegrad::detail;

TEST_CASE("autograd/storage: aligned, rounded up, and distinct") {
  std::vector<std::pair<void*, size_t>> blocks;
  for (size_t bytes : {1, 63, 64, 65, 1000, 4096, 4097, 5000, 65536, 100'000, 1'000'000, 3'000'001}) {
    void* memory = pool_allocate(bytes);
    CHECK(reinterpret_cast<uintptr_t>(memory) % 64 == 0);
    std::memset(memory, static_cast<int>(blocks.size() + 1), (bytes + 63) / 64 * 64);
    blocks.emplace_back(memory, bytes);
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    const auto* at = static_cast<const unsigned char*>(blocks[i].first);
    CHECK(std::all_of(at, at + blocks[i].second, [&](unsigned char c) { return c == i + 1; }));
    pool_free(blocks[i].first, blocks[i].second);
  }
}

TEST_CASE("autograd/storage: freed memory is used again") {
  if (tapegrad::testing::kSanitized) return;  // every block is its own allocation there
  for (size_t bytes : {48, 300, 4096, 5000, 1'000'000}) {
    void* first = pool_allocate(bytes);
    pool_free(first, bytes);
    void* second = pool_allocate(bytes);
    CHECK(second == first);
    pool_free(second, bytes);
  }
  // Sizes of one class share blocks, and a block is never smaller than what is asked.
  void* large = pool_allocate(1'000'000);
  pool_free(large, 1'000'000);
  void* near = pool_allocate(999'000);
  std::memset(near, 1, 999'000);
  pool_free(near, 999'000);
}

TEST_CASE("autograd/storage: a training loop does not grow") {
  const Parameter w(Rng(1).normal({64, 64}));
  const Tensor x = Rng(2).normal({32, 64});
  auto step = [&] {
    Tape tape;
    const Tensor loss = mean(square(tanh(matmul(x, w))));
    update(w.ref(), *find_op("mul_add"), {tape.gradient(loss)[w], -0.1, w});
  };
  for (int i = 0; i < 20; ++i) step();
  const size_t before = pool_bytes_reserved();
  for (int i = 0; i < 2000; ++i) step();
  CHECK(pool_bytes_reserved() == before);
}

TEST_CASE("autograd/storage: threads that come and go hand their memory on") {
  auto work = [] {
    std::vector<Tensor> tensors;
    for (int i = 0; i < 200; ++i) tensors.push_back(full({10 + i}, i));
    for (int i = 0; i < 200; ++i)
      CHECK(tensors[static_cast<size_t>(i)].data<float>()[0] == static_cast<float>(i));
  };
  for (int i = 0; i < 5; ++i) std::thread(work).join();
  const size_t before = pool_bytes_reserved();
  for (int i = 0; i < 100; ++i) std::thread(work).join();
  CHECK(pool_bytes_reserved() <= before + (size_t{4} << 20));
}

TEST_CASE("autograd/storage: one thread allocates, another frees, and memory stays bounded") {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Tensor> handed;
  bool done = false;
  size_t after_warmup = 0;
  constexpr int kRounds = 500;
  std::thread consumer([&] {
    const Tensor own = zeros({8});  // a thread that allocates as well has lists of its own
    for (;;) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return done || !handed.empty(); });
      if (handed.empty()) return;
      handed.clear();
      changed.notify_all();
    }
  });
  for (int round = 0; round < kRounds; ++round) {
    std::vector<Tensor> batch;
    for (int i = 0; i < 500; ++i) batch.push_back(full({8}, i));
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return handed.empty(); });
    handed = std::move(batch);
    changed.notify_all();
    if (round == kRounds / 10) after_warmup = pool_bytes_reserved();
  }
  {
    std::lock_guard lock(mutex);
    done = true;
  }
  changed.notify_all();
  consumer.join();
  CHECK(pool_bytes_reserved() <= after_warmup + (size_t{4} << 20));
}

TEST_CASE("autograd/storage: running out is a ResourceError") {
  if (tapegrad::testing::kSanitized) return;  // the sanitizer's allocator ends the process instead
  CHECK_THROWS_AS(pool_allocate(size_t{1} << 60), ResourceError);
  CHECK(zeros({4}).numel() == 4);
}
