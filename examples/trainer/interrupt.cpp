#include "examples/trainer/interrupt.h"

#include <csignal>
#include <initializer_list>

namespace trainer {
namespace {

volatile std::sig_atomic_t asked = 0;

extern "C" void ask(int signal) { asked = signal; }

}  // namespace

void catch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = ask;
  // The default comes back with the first signal, and calls go on as if nothing had happened.
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before = {};
    // A signal that the parent has switched off (nohup) stays off.
    if (sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;
    sigaction(signal, &action, nullptr);
  }
}

int interrupted() { return asked; }

}  // namespace trainer
