#include "continuo/core/check.h"

#include <cstdio>
#include <cstdlib>

namespace continuo {

void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "continuo: internal error: CHECK(%s) failed at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace continuo
