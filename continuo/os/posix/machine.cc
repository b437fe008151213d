#include "continuo/os/machine.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>
#if defined(__linux__)
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#if defined(__aarch64__)
#include <asm/hwcap.h>
#endif
#endif

#include <algorithm>
#include <fstream>
#include <optional>
#include <thread>
#include <utility>

namespace continuo {
namespace {

/// The number at the start of a file; nothing if there is no such file or it starts with a word
/// ("max").
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

/// What is left in the control group, of version 2 or of version 1. (A container sees its own group
/// at the root.)
std::optional<uint64_t> GroupMemory() {
  for (const auto& [limit, used] :
       {std::pair("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        std::pair("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes")}) {
    const auto most = ReadNumber(limit);
    const auto taken = ReadNumber(used);
    if (most && taken) {
      return *most - std::min(*most, *taken);
    }
  }
  return std::nullopt;
}

uint64_t PageBytes() {
  return static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::optional<uint64_t> AddressSpace() {
  rlimit limit = {};
  const auto pages = ReadNumber("/proc/self/statm");
  if (!pages || ::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return std::nullopt;
  }
  return limit.rlim_cur - std::min<uint64_t>(limit.rlim_cur, *pages * PageBytes());
}

}  // namespace

size_t AvailableCores() {
#if defined(__linux__)
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) {
    const int count = CPU_COUNT(&set);
    if (count > 0) {
      return static_cast<size_t>(count);
    }
  }
#endif
  const unsigned count = std::thread::hardware_concurrency();
  return count > 0 ? count : 1;
}

size_t ThreadCount(size_t wanted) {
  return wanted > 0 ? wanted : AvailableCores();
}

std::string CpuName() {
  constexpr std::string_view kKey = "model name";
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with(kKey) && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return {};
}

// From Linux's own files, because sysconf multiplies the caches of some virtual machines.
uint64_t LastLevelCacheBytes() {
  uint64_t bytes = 0;
  for (int level = 0; level < 8; ++level) {
    std::ifstream file(fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}/size", level));
    uint64_t kibibytes = 0;
    if (file >> kibibytes && file.get() == 'K') {  // always in KiB
      bytes = std::max(bytes, kibibytes << 10U);
    }
  }
  return bytes;
}

uint64_t AvailableMemory() {
  uint64_t least = UINT64_MAX;
  for (const auto& bytes : {SystemMemory(), GroupMemory(), AddressSpace()}) {
    least = std::min(least, bytes.value_or(UINT64_MAX));
  }
  return least;
}

uint64_t ResidentMemory() {
  std::ifstream statm("/proc/self/statm");
  uint64_t size = 0;
  uint64_t resident = 0;
  return statm >> size >> resident ? resident * PageBytes() : 0;
}

uint64_t PeakResidentMemory() {
  rusage usage{};
  // In KiB on Linux.
  return ::getrusage(RUSAGE_SELF, &usage) == 0 ? static_cast<uint64_t>(usage.ru_maxrss) * 1024 : 0;
}

bool MultipliesBf16() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512bf16") != 0;  // those with AMX have it too
#elif defined(__aarch64__) && defined(__linux__)
  return (::getauxval(AT_HWCAP2) & HWCAP2_BF16) != 0;
#else
  return false;
#endif
}

void PreferLargePages([[maybe_unused]] void* data, [[maybe_unused]] size_t size) {
#if defined(__linux__)
  ::madvise(data, size, MADV_HUGEPAGE);
#endif
}

}  // namespace continuo
