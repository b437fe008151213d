#include "continuo/metrics/set_distance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "continuo/core/rng.h"

namespace continuo {
namespace {

// Expected values integrated over scipy.stats.gaussian_kde of the same samples.
TEST(CompareDensities, EqualsScipysKernelDensities) {
  const std::vector<double> a = {0.10, 0.25, 0.27, 0.40, 0.42, 0.43, 0.60, 0.90};
  const std::vector<double> b = {0.35, 0.50, 0.55, 0.80, 1.00, 1.05};
  const DensityComparison comparison = CompareDensities(a, b);
  EXPECT_NEAR(comparison.overlap, 0.6304775450995691, 1e-4);
  EXPECT_NEAR(comparison.divergence, 0.405093088781718, 1e-4);
}

TEST(CompareDensities, EqualSamplesOverlapWhollyAndFarOnesNotAtAll) {
  const std::vector<double> a = {1, 2, 3, 5};
  EXPECT_NEAR(CompareDensities(a, a).overlap, 1, 1e-12);
  EXPECT_NEAR(CompareDensities(a, a).divergence, 0, 1e-12);
  const std::vector<double> far = {1001, 1002, 1003, 1005};
  EXPECT_NEAR(CompareDensities(a, far).overlap, 0, 1e-9);
  EXPECT_GT(CompareDensities(a, far).divergence, 20);
  EXPECT_LT(CompareDensities(a, far).divergence, 40);
}

TEST(CompareDensities, SamplesOfOneValueAreNoSpecialCase) {
  const std::vector<double> zero = {0, 0};
  const std::vector<double> one = {1};
  EXPECT_EQ(CompareDensities(zero, zero).overlap, 1);
  EXPECT_EQ(CompareDensities(zero, zero).divergence, 0);
  EXPECT_NEAR(CompareDensities(zero, one).overlap, 0, 1e-9);
}

// Pieces of 64 notes: three octaves' notes by chance, an eighth or, one in `slow`, a quarter apart.
std::vector<Description> RandomPieces(size_t count, uint64_t seed, uint64_t slow) {
  std::vector<Description> pieces;
  for (size_t i = 0; i < count; ++i) {
    Rng rng(seed, i);
    Score score;
    score.tracks.resize(1);
    Tick time = 0;
    for (int note = 0; note < 64; ++note) {
      const Tick length = rng.NextBelow(slow) == 0 ? 480 : 240;
      score.tracks[0].notes.push_back({time, length, static_cast<uint8_t>(48 + rng.NextBelow(36)), 64});
      time += length;
    }
    pieces.push_back(Describe(score));
  }
  return pieces;
}

TEST(CompareSets, TellsASetOfTheSameKindFromOneOfAnother) {
  const std::vector<Description> reference = RandomPieces(60, 1, 8);
  const std::vector<Description> same = RandomPieces(40, 2, 8);
  const std::vector<Description> other = RandomPieces(40, 3, 2);
  const auto near = CompareSets(same, reference);
  const auto far = CompareSets(other, reference);
  ASSERT_TRUE(near.ok() && far.ok());
  ASSERT_EQ(near->size(), 10U);
  for (size_t i = 0; i < near->size(); ++i) {
    SCOPED_TRACE((*near)[i].feature);
    EXPECT_GT((*near)[i].overlap, 0.85);
    EXPECT_LT((*near)[i].divergence, 0.2);
    const bool rhythmic = (*far)[i].feature.find("gap") != std::string_view::npos ||
                          (*far)[i].feature.find("length") != std::string_view::npos;
    if (rhythmic) {
      EXPECT_LT((*far)[i].overlap, 0.3);
      EXPECT_GT((*far)[i].divergence, 1);
      EXPECT_GT((*far)[i].between, (*far)[i].within_reference * 1.5);
    }
  }
}

TEST(CompareSets, RefusesSetsThatAreTooSmall) {
  const std::vector<Description> two = RandomPieces(2, 1, 8);
  const auto compared = CompareSets(two, two);
  ASSERT_FALSE(compared.ok());
  EXPECT_THAT(compared.error().message, testing::HasSubstr("2 of 2 reference pieces"));
  const std::vector<Description> silent(5);
  EXPECT_FALSE(CompareSets(silent, silent).ok());
  EXPECT_FALSE(CompareSets({}, RandomPieces(3, 1, 8)).ok());
}

}  // namespace
}  // namespace continuo
