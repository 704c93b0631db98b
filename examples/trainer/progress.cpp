#include "examples/trainer/progress.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "examples/trainer/console.h"

namespace trainer {
namespace {

constexpr double kSecondsBetween = 0.1;
constexpr int kBarWidth = 24;

std::string duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::ceil(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  return fmt::format("{} min {:02} s", whole / 60, whole % 60);
}

}  // namespace

Progress::Progress(int64_t epochs, int64_t steps_per_epoch)
    : epochs_(epochs), steps_(steps_per_epoch), terminal_(is_terminal() && !quiet()) {}

void Progress::step(int64_t epoch, int64_t step, double loss, double samples_per_second) {
  if (!terminal_) return;
  const double now = clock_.seconds();
  if (drawn_ && now - last_ < kSecondsBetween) return;
  last_ = now;
  drawn_ = true;

  const double done = static_cast<double>((epoch - 1) * steps_ + step);
  const double all = static_cast<double>(epochs_ * steps_);
  const auto filled = static_cast<size_t>(kBarWidth * step / steps_);
  std::string line = fmt::format("epoch {}/{} [{:.<{}}] step {}/{}  loss {:.4f}  {:.0f} samples/s  {} left",
                                 epoch, epochs_, std::string(filled, '#'), kBarWidth, step, steps_, loss,
                                 samples_per_second, duration(now * (all - done) / done));
  // A line that wraps could not be redrawn.
  line.resize(std::min(line.size(), static_cast<size_t>(std::max(terminal_width() - 1, 1))));
  say("\r{}\x1b[K", line);
}

void Progress::clear() {
  if (drawn_) say("\r\x1b[K");
  drawn_ = false;
}

}  // namespace trainer
