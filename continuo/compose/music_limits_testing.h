#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "continuo/compose/music_limits.h"

namespace continuo {

/// Limits from their names and texts, for tests.
inline MusicLimits Limits(const std::vector<std::pair<std::string, std::string>>& texts) {
  MusicLimits limits;
  for (const auto& [name, text] : texts) {
    const Status status = AddLimit(name, text, limits);
    EXPECT_TRUE(status.ok()) << status.error().ToString();
  }
  return limits;
}

}  // namespace continuo
