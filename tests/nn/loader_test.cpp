#include "nn/data/loader.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "autograd/ops.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using tapegrad::testing::message_of;
using Epoch = std::vector<std::vector<int64_t>>;

namespace {

// Sample i has the target i and the inputs [i, −i].
nn::Dataset counting(int64_t n) {
  const Tensor column = reshape(cast(arange(0, n), float32), {n, 1});
  return {cat({column, -column}, 1), arange(0, n)};
}

Epoch epoch_of(nn::DataLoader& loader) {
  Epoch batches;
  for (const auto& [x, y] : loader) {
    CHECK(equal(x, cat({reshape(cast(y, float32), {-1, 1}), reshape(cast(-y, float32), {-1, 1})}, 1)));
    batches.push_back(y.to_vector<int64_t>());
  }
  return batches;
}

std::vector<int64_t> flat(const Epoch& batches) {
  std::vector<int64_t> all;
  for (const auto& batch : batches) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

std::vector<int64_t> sorted(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  return values;
}

// A data set of one's own that waits now and then, counts its calls, and fails at a sample.
struct Slow {
  std::shared_ptr<std::atomic<int>> calls = std::make_shared<std::atomic<int>>(0);
  int64_t samples = 40;
  int64_t fails_at = -1;
  bool foreign = false;

  int64_t size() const { return samples; }
  nn::Batch batch(const Tensor& indices) const {
    const int call = (*calls)++;
    if (call % 3 == 1) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    for (int64_t i : indices.data<int64_t>()) {
      if (i != fails_at) continue;
      if (foreign) throw std::runtime_error("sample " + std::to_string(i) + " is broken");
      throw IoError("sample " + std::to_string(i) + " is broken", 5);
    }
    return {cast(indices, float32), indices};
  }
};

}  // namespace

TEST_CASE("nn/loader: stored order, and what becomes of a last batch that is not full") {
  for (int64_t prefetch : {0, 1, 2, 100}) {
    nn::DataLoader all(counting(7), {.batch_size = 3, .prefetch = prefetch});
    CHECK(all.count() == 3);
    CHECK(epoch_of(all) == Epoch{{0, 1, 2}, {3, 4, 5}, {6}});
    nn::DataLoader full(counting(7), {.batch_size = 3, .drop_last = true, .prefetch = prefetch});
    CHECK(full.count() == 2);
    CHECK(epoch_of(full) == Epoch{{0, 1, 2}, {3, 4, 5}});
    nn::DataLoader even(counting(6), {.batch_size = 3, .drop_last = true, .prefetch = prefetch});
    CHECK(epoch_of(even) == Epoch{{0, 1, 2}, {3, 4, 5}});
    nn::DataLoader none(counting(2), {.batch_size = 3, .drop_last = true, .prefetch = prefetch});
    CHECK(epoch_of(none).empty());
  }
}

TEST_CASE("nn/loader: each epoch has an order of its own, which follows from the seed alone") {
  nn::DataLoader loader(counting(50), {.batch_size = 8, .shuffle = true, .seed = 3});
  const Epoch first = epoch_of(loader), second = epoch_of(loader), third = epoch_of(loader);
  CHECK(loader.epoch() == 3);
  for (const Epoch& epoch : {first, second, third})
    CHECK(sorted(flat(epoch)) == arange(0, 50).to_vector<int64_t>());
  CHECK(first != second);
  CHECK(second != third);
  // Again, whatever works ahead; and from the middle.
  for (int64_t prefetch : {0, 1, 7}) {
    nn::DataLoader again(counting(50), {.batch_size = 8, .shuffle = true, .prefetch = prefetch, .seed = 3});
    CHECK(epoch_of(again) == first);
    CHECK(epoch_of(again) == second);
    again.set_epoch(2);
    CHECK(epoch_of(again) == third);
    again.set_epoch(0);
    CHECK(epoch_of(again) == first);
  }
  nn::DataLoader other(counting(50), {.batch_size = 8, .shuffle = true, .seed = 4});
  CHECK(epoch_of(other) != first);
  // Two loops at once do not disturb each other.
  nn::DataLoader shared(counting(50), {.batch_size = 8, .shuffle = true, .seed = 3});
  auto a = shared.begin(), b = shared.begin();
  Epoch from_a, from_b;
  for (; a != shared.end(); ++a, ++b) {
    from_a.push_back(a->targets.to_vector<int64_t>());
    from_b.push_back(b->targets.to_vector<int64_t>());
  }
  CHECK((b == shared.end()));
  CHECK(from_a == first);
  CHECK(from_b == second);
}

TEST_CASE("nn/loader: an exception arrives where its batch would have, after those before it") {
  for (int64_t prefetch : {0, 1, 4}) {
    for (bool foreign : {false, true}) {
      Slow data;
      data.fails_at = 13;
      data.foreign = foreign;
      nn::DataLoader loader(data, {.batch_size = 4, .prefetch = prefetch});
      int seen = 0;
      std::string message;
      try {
        for (const auto& [x, y] : loader) {
          CHECK(y.data<int64_t>()[0] == 4 * seen);
          ++seen;
        }
      } catch (const IoError& error) {
        CHECK_FALSE(foreign);
        message = error.what();
      } catch (const std::runtime_error& error) {
        CHECK(foreign);
        message = error.what();
      }
      CHECK(seen == 3);
      CHECK(message == "sample 13 is broken");
      // The next epoch begins anew.
      CHECK_THROWS([&] {
        for (const auto& batch : loader) CHECK(batch.targets.size(0) == 4);
      }());
    }
  }
}

TEST_CASE("nn/loader: leaving the loop stops the thread, which has worked no further ahead than allowed") {
  for (int round = 0; round < 20; ++round) {
    const Slow data;
    nn::DataLoader loader(data, {.batch_size = 1, .prefetch = 3});
    int seen = 0;
    for (const auto& batch : loader) {
      CHECK(batch.targets.item<int64_t>() == seen);
      if (++seen == 1 + round % 5) break;
    }
    // The thread has ended: those taken, three that are ready, and one that was under way.
    const int calls = *data.calls;
    CHECK(calls <= seen + 4);
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    CHECK(*data.calls == calls);
  }
  // Begun, and never looked at.
  const Slow data;
  nn::DataLoader loader(data, {.batch_size = 2, .prefetch = 2});
  loader.begin();
}

TEST_CASE("nn/loader: options that make no sense") {
  CHECK(message_of<ArgumentError>([] { nn::DataLoader(counting(3), {.batch_size = 0}); }) ==
        "[DataLoader] batch_size must be at least 1, given 0");
  CHECK(message_of<ArgumentError>([] { nn::DataLoader(counting(3), {.prefetch = -1}); }) ==
        "[DataLoader] prefetch must be at least 0, given -1");
}
