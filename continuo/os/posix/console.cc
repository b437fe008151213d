#include "continuo/os/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

namespace continuo {

bool OutputIsTerminal() {
  return ::isatty(STDOUT_FILENO) == 1;
}

bool ErrorIsTerminal() {
  return ::isatty(STDERR_FILENO) == 1;
}

size_t OutputColumns() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

}  // namespace continuo
