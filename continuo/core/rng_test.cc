#include "continuo/core/rng.h"

#include <gtest/gtest.h>

#include <vector>

namespace continuo {
namespace {

// Known answers of Random123 1.09, tests/kat_vectors, philox4x32 with 10 rounds.
TEST(Philox, GivesTheKnownAnswersOfRandom123) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, StreamsAndSeedsDiffer) {
  EXPECT_NE(Rng(1, 0).NextU64(), Rng(1, 1).NextU64());
  EXPECT_NE(Rng(1, 0).NextU64(), Rng(2, 0).NextU64());
}

TEST(Rng, NextBelowStaysBelowAndReachesAll) {
  Rng rng(1, 1);
  std::vector<int> seen(7, 0);
  for (int i = 0; i < 7000; ++i) {
    ++seen.at(rng.NextBelow(7));
  }
  for (const int count : seen) {
    // 1000 expected, standard deviation sqrt(7000 * 6/49) = 29.3; six of them.
    EXPECT_NEAR(count, 1000, 176);
  }
  EXPECT_EQ(rng.NextBelow(1), 0U);
}

TEST(Rng, DoublesLieInTheUnitInterval) {
  EXPECT_EQ(UniformDouble(0, 0), 0.0);
  EXPECT_LT(UniformDouble(0xffffffff, 0xffffffff), 1.0);
}

}  // namespace
}  // namespace continuo
