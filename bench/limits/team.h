#pragma once

// Threads of the hand-written loops: as many as asked for, the caller among them, that wait busily for a
// moment and then asleep.

#include <cstdint>
#include <memory>
#include <type_traits>

namespace tapegrad::bench {

class Team {
 public:
  // One thread: nothing is started.
  explicit Team(int threads = 1);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int threads() const { return threads_; }

  // Calls f(begin, end) on equal parts of [0, count), one or `each` for each thread, and returns when all are
  // done. Whoever is free takes the next part. The parts begin at multiples of `unit`. f does not throw.
  template <class F>
  void split(int64_t count, F&& f, int64_t unit = 1, int64_t each = 1) {
    if (threads_ == 1) return f(int64_t{0}, count);
    using Function = std::remove_reference_t<F>;
    run(
        count, unit, threads_ * each,
        [](void* function, int64_t begin, int64_t end) { (*static_cast<Function*>(function))(begin, end); },
        std::addressof(f));
  }

 private:
  using Part = void (*)(void* function, int64_t begin, int64_t end);
  void run(int64_t count, int64_t unit, int64_t parts, Part part, void* function);

  struct State;
  int threads_;
  std::unique_ptr<State> state_;
};

}  // namespace tapegrad::bench
