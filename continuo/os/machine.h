#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace continuo {

// Facts of the machine and of this process on it. Every function may be called from any thread.
// None fails: each states what it returns where the system does not report the fact.

/// Cores that this process may run on, at least 1.
size_t AvailableCores();

/// `wanted`, or AvailableCores() where it is 0: the meaning of every --threads flag.
size_t ThreadCount(size_t wanted);

/// The processor's name as the system reports it; empty if unknown.
std::string CpuName();

/// Bytes of the first core's last-level cache; 0 if unknown.
uint64_t LastLevelCacheBytes();

/// Bytes of memory that the process may still allocate: the least of what the system has available,
/// what its control group has left, and what is left of its address space. UINT64_MAX if unknown.
uint64_t AvailableMemory();

/// Bytes of this process's resident set now and at its largest; 0 if unknown. Host memory only.
uint64_t ResidentMemory();
uint64_t PeakResidentMemory();

/// Whether the processor multiplies bf16 numbers by an instruction of its own; false if unknown.
bool MultipliesBf16();

/// Asks for large pages for [data, data + size), so that streams through it cross fewer pages. A
/// hint: does nothing where the system has none.
void PreferLargePages(void* data, size_t size);

}  // namespace continuo
