#include "continuo/score/tempo_map.h"

#include <gtest/gtest.h>

namespace continuo {
namespace {

TEST(TempoMapTest, WithoutATempoAQuarterTakesHalfASecond) {
  Score score;
  score.ticks_per_quarter = 100;
  const TempoMap map(score);
  EXPECT_DOUBLE_EQ(map.Seconds(0), 0.0);
  EXPECT_DOUBLE_EQ(map.Seconds(250), 1.25);
}

TEST(TempoMapTest, EachTempoGovernsFromItsTickOn) {
  Score score;
  score.tempos = {{960, 1000000}, {960, 250000}, {1440, 2000000}};
  const TempoMap map(score);
  EXPECT_DOUBLE_EQ(map.Seconds(960), 1.0);          // two quarters at 120
  EXPECT_DOUBLE_EQ(map.Seconds(1440), 1.25);        // one at 240: the last of two at one tick
  EXPECT_DOUBLE_EQ(map.Seconds(1440 + 240), 2.25);  // half a quarter at 30
}

}  // namespace
}  // namespace continuo
