#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace continuo {

/// The folder of large test data: CONTINUO_SHARED, or ../shared beside the source tree. It is
/// optional.
inline std::filesystem::path SharedDir() {
  const char* named = std::getenv("CONTINUO_SHARED");
  return named != nullptr ? std::filesystem::path(named) : std::filesystem::path(CONTINUO_SOURCE_DIR) / ".." / "shared";
}

}  // namespace continuo

/// Skips the test where the large test data is not there, or fails it if CONTINUO_REQUIRE_SHARED is
/// set.
#define CONTINUO_NEEDS_SHARED()                                                                               \
  do {                                                                                                        \
    if (!std::filesystem::is_directory(::continuo::SharedDir() / "data")) {                                   \
      if (std::getenv("CONTINUO_REQUIRE_SHARED") != nullptr) {                                                \
        FAIL() << "CONTINUO_REQUIRE_SHARED is set, but there is no test data at " << ::continuo::SharedDir(); \
      }                                                                                                       \
      GTEST_SKIP() << "no test data at " << ::continuo::SharedDir() << "; set CONTINUO_SHARED to its folder"; \
    }                                                                                                         \
  } while (false)
