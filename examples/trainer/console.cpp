#include "examples/trainer/console.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>

namespace trainer {
namespace {

bool complete = true, silent = false;

// Returns 0 or an errno.
int write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<size_t>(count));
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

}  // namespace

void prepare_console() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    // The lowest free descriptor is the one that open() takes.
    if (::fcntl(descriptor, F_GETFD) < 0) (void)::open("/dev/null", O_RDWR);
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

void be_quiet() { silent = true; }
bool quiet() { return silent; }

bool is_terminal() {
  const char* kind = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) != 0 && kind != nullptr && std::string_view(kind) != "dumb";
}

int terminal_width() {
  winsize size = {};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

void write_output(std::string_view text) {
  const int code = write_all(STDOUT_FILENO, text);
  if (code != 0 && code != EPIPE) complete = false;
}

void write_error(std::string_view text) {
  std::string line = fmt::format("train: {}", text);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  }
  (void)write_all(STDERR_FILENO, line + '\n');
}

bool output_complete() { return complete; }

}  // namespace trainer
