#include "tests/verify/workers.h"

#include <unistd.h>

#include <cstdio>

namespace tapegrad::verify {

Progress::Progress(bool wanted) : terminal_(wanted && isatty(STDERR_FILENO) != 0) {}

void Progress::show(const std::string& what, double fraction) {
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_ || now - shown_ < std::chrono::milliseconds(100)) return;
  shown_ = now;
  std::fprintf(stderr, "\r\033[K%s %.0f %%", what.c_str(), 100 * fraction);
  std::fflush(stderr);
}

void Progress::clear() {
  if (terminal_) std::fputs("\r\033[K", stderr);
}

}  // namespace tapegrad::verify
