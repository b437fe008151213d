#include "continuo/score/bars.h"

#include <gtest/gtest.h>

namespace continuo {
namespace {

Score WithSignatures(std::vector<TimeSignature> signatures, std::vector<Tick> onsets) {
  Score score;
  score.ticks_per_quarter = 480;
  score.time_signatures = std::move(signatures);
  score.tracks.resize(1);
  for (const Tick onset : onsets) {
    score.tracks[0].notes.push_back({onset, 10, 60, 64});
  }
  return score;
}

std::vector<int64_t> Lines(const Score& score, size_t count, bool by_signature = true) {
  std::vector<int64_t> lines;
  const BarGrid grid(score, by_signature);
  for (size_t bar = 0; bar < count; ++bar) {
    lines.push_back(grid.Line(bar));
  }
  return lines;
}

TEST(BarGrid, IsFourFourWithoutSignatures) {
  EXPECT_EQ(Lines(WithSignatures({}, {}), 3), (std::vector<int64_t>{0, 1920, 3840}));
}

TEST(BarGrid, FollowsTheSignatures) {
  EXPECT_EQ(Lines(WithSignatures({{0, 3, 4}, {2880, 6, 8}, {5760, 7, 8}}, {}), 6),
            (std::vector<int64_t>{0, 1440, 2880, 4320, 5760, 7440}));
}

TEST(BarGrid, AChangeCutsTheBarShort) {
  EXPECT_EQ(Lines(WithSignatures({{2000, 3, 4}}, {}), 4), (std::vector<int64_t>{0, 1920, 2000, 3440}));
}

TEST(BarGrid, ARepeatedOrImpossibleSignatureIsNoChange) {
  EXPECT_EQ(Lines(WithSignatures({{0, 4, 4}, {480, 4, 4}, {500, 0, 4}, {510, 3, 0}}, {}), 3),
            (std::vector<int64_t>{0, 1920, 3840}));
}

TEST(BarGrid, OfSeveralSignaturesAtOneTickTheLastCounts) {
  EXPECT_EQ(Lines(WithSignatures({{0, 2, 4}, {0, 3, 4}}, {}), 2), (std::vector<int64_t>{0, 1440}));
}

TEST(BarGrid, FourFourThroughoutPassesOverSignatures) {
  EXPECT_EQ(Lines(WithSignatures({{0, 3, 4}}, {}), 2, false), (std::vector<int64_t>{0, 1920}));
}

TEST(BarGrid, BarAtIsTheInverseOfLine) {
  const Score score = WithSignatures({{0, 3, 4}, {2000, 5, 8}}, {});
  const BarGrid grid(score);
  for (size_t bar = 0; bar < 20; ++bar) {
    EXPECT_EQ(grid.BarAt(static_cast<Tick>(grid.Line(bar))), bar);
    EXPECT_EQ(grid.BarAt(static_cast<Tick>(grid.Line(bar + 1) - 1)), bar);
  }
}

TEST(CountBars, CountsToTheLastOnset) {
  EXPECT_EQ(CountBars(WithSignatures({}, {})), 0U);
  EXPECT_EQ(CountBars(WithSignatures({}, {0, 1919})), 1U);
  EXPECT_EQ(CountBars(WithSignatures({}, {1920, 0})), 2U);
}

}  // namespace
}  // namespace continuo
