#pragma once

#include <cstdint>

namespace continuo {

/// Bytes of memory that the process may still take: what the system has to give, the limit of its control group, and
/// the limit of its address space, whichever is least. UINT64_MAX where nothing says.
uint64_t AvailableMemory();

}  // namespace continuo
