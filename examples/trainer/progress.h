#pragma once

#include <chrono>
#include <cstdint>

namespace trainer {

// Seconds since it was made.
class Clock {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// A bar on the terminal's last line: epoch, step, loss, samples per second, time left. Redrawn at most ten
// times a second; draws nothing when the output is no terminal.
class Progress {
 public:
  Progress(int64_t epochs, int64_t steps_per_epoch);

  // After a step of the epoch (both from 1), with the mean loss of the epoch so far and its samples per
  // second.
  void step(int64_t epoch, int64_t step, double loss, double samples_per_second);
  // Takes the bar away, so that a line can be printed.
  void clear();

 private:
  int64_t epochs_, steps_;
  bool terminal_;
  bool drawn_ = false;
  double last_ = -1;
  Clock clock_;
};

}  // namespace trainer
