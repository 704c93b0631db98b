#include "bench/limits/team.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace tapegrad::bench {

struct Team::State {
  static constexpr uint64_t kTurn = uint64_t{1} << 32;

  std::vector<std::thread> threads;
  // The turn, and below it the next part of its work to be taken. A thread that comes late finds none.
  std::atomic<uint64_t> next{0};
  std::atomic<int64_t> done{0};  // parts of this turn
  std::atomic<bool> over{false};
  // Of the turn under way; they stay as they are until all parts taken are done.
  std::atomic<int64_t> parts{0};
  int64_t count = 0, unit = 1;
  Part part = nullptr;
  void* function = nullptr;

  void work(uint64_t turn) {
    for (uint64_t at = next.load(std::memory_order_acquire); at / kTurn == turn;) {
      const auto k = static_cast<int64_t>(at % kTurn);
      if (k >= parts.load(std::memory_order_relaxed)) return;
      if (!next.compare_exchange_weak(at, at + 1, std::memory_order_acq_rel)) continue;
      const int64_t units = (count + unit - 1) / unit, of = parts.load(std::memory_order_relaxed);
      const int64_t begin = std::min(count, units * k / of * unit);
      const int64_t end = std::min(count, units * (k + 1) / of * unit);
      if (begin < end) part(function, begin, end);
      done.fetch_add(1, std::memory_order_release);
      at = next.load(std::memory_order_acquire);
    }
  }

  void help() {
    constexpr int kSpins = 20000;
    for (uint64_t seen = 0;;) {
      uint64_t now = next.load(std::memory_order_acquire);
      for (int spin = 0; spin < kSpins && now / kTurn == seen; ++spin)
        now = next.load(std::memory_order_acquire);
      while (now / kTurn == seen) {
        next.wait(now, std::memory_order_acquire);
        now = next.load(std::memory_order_acquire);
      }
      if (over.load(std::memory_order_acquire)) return;
      seen = now / kTurn;
      work(seen);
    }
  }
};

Team::Team(int threads) : threads_(threads), state_(std::make_unique<State>()) {
  for (int k = 1; k < threads; ++k) state_->threads.emplace_back([state = state_.get()] { state->help(); });
}

Team::~Team() {
  State& s = *state_;
  s.over.store(true, std::memory_order_release);
  s.parts.store(0, std::memory_order_relaxed);
  s.next.store((s.next.load() / State::kTurn + 1) * State::kTurn, std::memory_order_release);
  s.next.notify_all();
  for (std::thread& thread : s.threads) thread.join();
}

void Team::run(int64_t count, int64_t unit, int64_t parts, Part part, void* function) {
  State& s = *state_;
  s.count = count;
  s.unit = unit;
  s.part = part;
  s.function = function;
  s.done.store(0, std::memory_order_relaxed);
  s.parts.store(parts, std::memory_order_relaxed);
  const uint64_t turn = s.next.load(std::memory_order_relaxed) / State::kTurn + 1;
  s.next.store(turn * State::kTurn, std::memory_order_release);
  s.next.notify_all();
  s.work(turn);
  for (int spin = 0; s.done.load(std::memory_order_acquire) < parts; ++spin) {
    if (spin > 20000) std::this_thread::yield();
  }
}

}  // namespace tapegrad::bench
