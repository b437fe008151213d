#include "continuo/os/machine.h"

namespace continuo {

size_t AvailableCores() {
  return 1;
}

// More threads than the one that there is cannot be started.
size_t ThreadCount(size_t /*wanted*/) {
  return 1;
}

std::string CpuName() {
  return {};
}

uint64_t LastLevelCacheBytes() {
  return 0;
}

uint64_t AvailableMemory() {
  return UINT64_MAX;
}

uint64_t ResidentMemory() {
  return 0;
}

uint64_t PeakResidentMemory() {
  return 0;
}

bool MultipliesBf16() {
  return false;
}

void PreferLargePages(void* /*data*/, size_t /*size*/) {}

}  // namespace continuo
