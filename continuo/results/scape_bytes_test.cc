#include "continuo/results/scape_bytes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace continuo {
namespace {

using ::testing::ElementsAre;

TEST(PackScape, WritesLengthsInOrderAndFitnessAsBytes) {
  ScapePlot scape;
  scape.frames = 3;
  scape.min_length = 2;
  scape.max_length = 3;
  scape.fitness = {0.5, 1.0, 0, 0.2, 0, 0};
  EXPECT_EQ(PackScape(scape), (std::vector<uint8_t>{3, 0, 0, 0, 0, 0, 0, 128, 255, 51}));
}

TEST(ReduceScape, KeepsTheLargestOfEachPatch) {
  // Four frames to two: lengths 1 and 2 become 1, starts 0, 1 become 0.
  const std::vector<uint8_t> scape = {4, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  EXPECT_THAT(ReduceScape(scape, 2), ElementsAre(2, 0, 0, 0, 6, 7, 10));
  EXPECT_EQ(ReduceScape(scape, 4), scape);
  EXPECT_EQ(ReduceScape(scape, 96), scape);
}

TEST(ReduceScape, IsEmptyForBytesThatAreNotAPlot) {
  EXPECT_TRUE(ReduceScape(std::vector<uint8_t>{1, 0, 0}, 8).empty());
  EXPECT_TRUE(ReduceScape(std::vector<uint8_t>{2, 0, 0, 0, 9}, 8).empty());
  EXPECT_TRUE(ReduceScape(std::vector<uint8_t>{255, 255, 255, 255, 9}, 8).empty());
}

}  // namespace
}  // namespace continuo
