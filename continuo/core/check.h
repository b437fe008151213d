#pragma once

namespace continuo {

/// Prints the failed condition with its place and aborts.
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);

}  // namespace continuo

/// Aborts when `condition` is false, in every build type. For what only a bug can cause.
#define CONTINUO_CHECK(condition)                              \
  do {                                                         \
    if (!(condition)) [[unlikely]] {                           \
      ::continuo::CheckFailed(#condition, __FILE__, __LINE__); \
    }                                                          \
  } while (false)
