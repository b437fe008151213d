#include "continuo/os/signals.h"

#include <unistd.h>

#include <csignal>

namespace continuo {
namespace {

volatile std::sig_atomic_t g_signal = 0;

extern "C" void HandleInterrupt(int signal) {
  if (g_signal != 0) {
    ::_exit(128 + signal);
  }
  g_signal = signal;
}

}  // namespace

void CatchInterrupts() {
  struct sigaction action{};
  action.sa_handler = HandleInterrupt;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

int InterruptSignal() {
  return g_signal;
}

StopToken SignalStop() {
  return StopToken([] { return InterruptSignal() != 0; });
}

}  // namespace continuo
