#include "continuo/metrics/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "continuo/core/rng.h"

namespace continuo {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(Summarize, LeavesUndefinedValuesOut) {
  const Summary summary = Summarize(std::vector<double>{1, kNan, 2, 6});
  EXPECT_EQ(summary.count, 3);
  EXPECT_DOUBLE_EQ(summary.mean, 3);
  EXPECT_DOUBLE_EQ(summary.deviation, std::sqrt((4 + 1 + 9) / 2.0));
}

TEST(Summarize, NothingHasNoMeanAndOneValueNoInterval) {
  EXPECT_TRUE(std::isnan(Summarize({}).mean));
  EXPECT_TRUE(std::isnan(Summarize(std::vector<double>{kNan}).mean));
  const Summary one = Summarize(std::vector<double>{5});
  EXPECT_EQ(one.mean, 5);
  EXPECT_TRUE(std::isnan(one.deviation));
  EXPECT_TRUE(std::isnan(one.low));
}

TEST(Summarize, TheIntervalIsThatOfTheNormalDistributionForManyValues) {
  std::vector<double> values;
  Rng rng(7, 0);
  for (int i = 0; i < 2000; ++i) {
    values.push_back(10 + 3 * (rng.NextDouble() + rng.NextDouble() + rng.NextDouble() - 1.5));
  }
  const Summary summary = Summarize(values, {.seed = 1, .resamples = 4000});
  const double half = 1.96 * summary.deviation / std::sqrt(2000.0);
  EXPECT_NEAR(summary.low, summary.mean - half, half * 0.08);
  EXPECT_NEAR(summary.high, summary.mean + half, half * 0.08);
}

TEST(Summarize, TheIntervalHoldsTheTrueMeanNineteenTimesInTwenty) {
  int held = 0;
  for (uint64_t trial = 0; trial < 400; ++trial) {
    std::vector<double> values;
    Rng rng(11, trial);
    for (int i = 0; i < 40; ++i) {
      values.push_back(rng.NextDouble());
    }
    const Summary summary = Summarize(values, {.seed = trial, .resamples = 400});
    held += summary.low <= 0.5 && 0.5 <= summary.high ? 1 : 0;
  }
  // 380 are expected, and 4.4 is the deviation; the percentile interval of 40 values is a little
  // narrow.
  EXPECT_GE(held, 360);
  EXPECT_LE(held, 394);
}

TEST(Summarize, IsTheSameForTheSameSeed) {
  const std::vector<double> values = {1, 2, 3, 4, 5, 7};
  EXPECT_EQ(Summarize(values, {.seed = 3}).low, Summarize(values, {.seed = 3}).low);
  EXPECT_NE(Summarize(values, {.seed = 3, .resamples = 7}).low, Summarize(values, {.seed = 4, .resamples = 7}).low);
}

}  // namespace
}  // namespace continuo
