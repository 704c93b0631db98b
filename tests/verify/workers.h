#pragma once

// A loop on several threads with progress on a terminal.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace tapegrad::verify {

// Shows "exp float32 41 %" on a terminal's standard error, and nothing elsewhere.
class Progress {
 public:
  explicit Progress(bool wanted);
  ~Progress() { clear(); }
  void show(const std::string& what, double fraction);
  void clear();

 private:
  bool terminal_;
  std::chrono::steady_clock::time_point shown_{};
};

// body(thread, i) for i < count; each thread takes indices in rising order. `tick(done)` runs on the calling
// thread now and then.
template <class Body, class Tick>
void parallel(int threads, int64_t count, Body body, Tick tick) {
  std::atomic<int64_t> next{0}, done{0};
  auto work = [&](int thread) {
    for (int64_t i = next++; i < count; i = next++) {
      body(thread, i);
      ++done;
    }
  };
  std::vector<std::thread> pool;
  for (int t = 1; t < threads; ++t) pool.emplace_back(work, t);
  for (int64_t i = next++; i < count; i = next++) {
    body(0, i);
    tick(static_cast<double>(++done) / static_cast<double>(count));
  }
  for (std::thread& thread : pool) thread.join();
}

}  // namespace tapegrad::verify
