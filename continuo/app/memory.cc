#include "continuo/app/memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>

namespace continuo {
namespace {

/// The number at the beginning of a file; nothing if there is no such file or it holds a word ("max").
std::optional<uint64_t> ReadNumber(const std::string& path) {
  std::ifstream file(path);
  uint64_t number = 0;
  return file >> number ? std::optional(number) : std::nullopt;
}

std::optional<uint64_t> SystemMemory() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  uint64_t kilobytes = 0;
  std::string unit;
  while (file >> key >> kilobytes) {
    std::getline(file, unit);
    if (key == "MemAvailable:") {
      return kilobytes * 1024;
    }
  }
  return std::nullopt;
}

/// Left in a control group, of version 2 and of version 1. (Containers see their own group at the root.)
std::optional<uint64_t> GroupMemory() {
  for (const auto& [limit, used] : {std::pair("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
                                    std::pair("/sys/fs/cgroup/memory/memory.limit_in_bytes",
                                              "/sys/fs/cgroup/memory/memory.usage_in_bytes")}) {
    const auto most = ReadNumber(limit);
    const auto taken = ReadNumber(used);
    if (most && taken) {
      return *most - std::min(*most, *taken);
    }
  }
  return std::nullopt;
}

std::optional<uint64_t> AddressSpace() {
  rlimit limit = {};
  const auto pages = ReadNumber("/proc/self/statm");
  if (!pages || ::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return std::nullopt;
  }
  const uint64_t taken = *pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return limit.rlim_cur - std::min<uint64_t>(limit.rlim_cur, taken);
}

}  // namespace

uint64_t AvailableMemory() {
  uint64_t least = UINT64_MAX;
  for (const auto& bytes : {SystemMemory(), GroupMemory(), AddressSpace()}) {
    least = std::min(least, bytes.value_or(UINT64_MAX));
  }
  return least;
}

}  // namespace continuo
