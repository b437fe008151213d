#include "continuo/score/bars.h"

#include <gtest/gtest.h>

#include <limits>

#include "continuo/core/rng.h"

namespace continuo {
namespace {

constexpr Tick kLatest = std::numeric_limits<Tick>::max();

Score WithSignatures(std::vector<TimeSignature> signatures, int32_t ticks_per_quarter = 480) {
  Score score;
  score.ticks_per_quarter = ticks_per_quarter;
  score.time_signatures = std::move(signatures);
  return score;
}

std::vector<Tick> Lines(const BarGrid& grid, size_t count) {
  std::vector<Tick> lines;
  for (size_t bar = 0; bar < count; ++bar) {
    lines.push_back(grid.Line(bar));
  }
  return lines;
}

using Ticks = std::vector<Tick>;

TEST(BarGrid, IsFourFourWithoutSignatures) {
  EXPECT_EQ(Lines(BarGrid(Score{}), 4), (Ticks{0, 1920, 3840, 5760}));
}

TEST(BarGrid, FollowsTheSignatures) {
  const BarGrid grid(WithSignatures({{0, 3, 4}, {2880, 6, 8}, {4320, 4, 4}}));
  EXPECT_EQ(Lines(grid, 6), (Ticks{0, 1440, 2880, 4320, 6240, 8160}));
  EXPECT_EQ(grid.Signature(1), (TimeSignature{0, 3, 4}));
  EXPECT_EQ(grid.Signature(2), (TimeSignature{2880, 6, 8}));
  EXPECT_EQ(grid.Signature(100), (TimeSignature{4320, 4, 4}));
}

TEST(BarGrid, IsFourFourBeforeTheFirstSignature) {
  EXPECT_EQ(Lines(BarGrid(WithSignatures({{1920, 3, 4}})), 4), (Ticks{0, 1920, 3360, 4800}));
}

TEST(BarGrid, CutsABarShortWhereTheSignatureChangesInIt) {
  EXPECT_EQ(Lines(BarGrid(WithSignatures({{0, 4, 4}, {2000, 3, 4}})), 4), (Ticks{0, 1920, 2000, 3440}));
}

TEST(BarGrid, TakesAnEqualSignatureForNoChange) {
  EXPECT_EQ(Lines(BarGrid(WithSignatures({{0, 4, 4}, {100, 4, 4}, {2000, 4, 4}})), 3), (Ticks{0, 1920, 3840}));
}

TEST(BarGrid, TakesTheLastSignatureOfOneTick) {
  EXPECT_EQ(Lines(BarGrid(WithSignatures({{0, 2, 4}, {0, 3, 4}})), 3), (Ticks{0, 1440, 2880}));
  EXPECT_EQ(Lines(BarGrid(WithSignatures({{0, 4, 4}, {2000, 3, 4}, {2000, 2, 4}})), 4), (Ticks{0, 1920, 2000, 2960}));
  // Back to that in force: no change after all.
  EXPECT_EQ(Lines(BarGrid(WithSignatures({{0, 4, 4}, {2000, 3, 4}, {2000, 4, 4}})), 3), (Ticks{0, 1920, 3840}));
}

TEST(BarGrid, PassesOverSignaturesThatAreNone) {
  EXPECT_EQ(Lines(BarGrid(WithSignatures({{0, 0, 4}, {10, 4, 0}, {20, -3, 4}})), 2), (Ticks{0, 1920}));
}

TEST(BarGrid, RoundsTheBarToWholeTicksAndAtLeastOne) {
  EXPECT_EQ(Lines(BarGrid(WithSignatures({{0, 1, 128}}, 1)), 3), (Ticks{0, 1, 2}));  // 1/32 tick
  EXPECT_EQ(Lines(BarGrid(WithSignatures({{0, 3, 8}}, 1)), 3), (Ticks{0, 2, 4}));    // 1.5 ticks
  EXPECT_EQ(Lines(BarGrid(WithSignatures({{0, 5, 16}}, 1)), 3), (Ticks{0, 1, 2}));   // 1.25 ticks
}

TEST(BarGrid, IgnoresTheSignaturesWhenAsked) {
  EXPECT_EQ(Lines(BarGrid(WithSignatures({{0, 3, 4}, {480, 5, 8}}), false), 3), (Ticks{0, 1920, 3840}));
}

TEST(BarGrid, EndsAtTheLastTick) {
  const BarGrid longest(WithSignatures({{0, 255, 1}}, 32767));
  EXPECT_EQ(longest.Line(64), 64 * 255 * 4 * 32767);
  EXPECT_EQ(longest.Line(65), kLatest);
  EXPECT_EQ(longest.Line(std::numeric_limits<size_t>::max()), kLatest);
  const BarGrid shortest(WithSignatures({{0, 1, 128}, {kLatest, 4, 4}}, 1));
  EXPECT_EQ(shortest.BarAt(kLatest), static_cast<size_t>(kLatest));
  EXPECT_EQ(shortest.Line(static_cast<size_t>(kLatest)), kLatest);
}

TEST(BarGrid, EachBarHoldsItsLineAndAllUpToTheNext) {
  Rng rng(3, 0);
  for (int round = 0; round < 200; ++round) {
    Score score = WithSignatures({}, 1 + static_cast<int32_t>(rng.NextBelow(500)));
    Tick time = 0;
    for (int i = 0; i < 8; ++i) {
      score.time_signatures.push_back({time, 1 + static_cast<int32_t>(rng.NextBelow(12)), 1 << rng.NextBelow(6)});
      time += static_cast<Tick>(rng.NextBelow(5000));
    }
    const BarGrid grid(score);
    for (size_t bar = 0; bar < 60; ++bar) {
      ASSERT_LT(grid.Line(bar), grid.Line(bar + 1));
      EXPECT_EQ(grid.BarAt(grid.Line(bar)), bar);
      EXPECT_EQ(grid.BarAt(grid.Line(bar + 1) - 1), bar);
    }
  }
}

TEST(CountBars, CountsUpToTheLastBarInWhichANoteSounds) {
  Score score;
  EXPECT_EQ(CountBars(score), 0u);
  score.tracks.resize(2);
  score.tracks[1].notes = {{0, 1920, 60, 64}};
  EXPECT_EQ(CountBars(score), 1u);
  score.tracks[1].notes = {{0, 1921, 60, 64}};
  EXPECT_EQ(CountBars(score), 2u);
  score.tracks[1].notes = {{kLatest, kLatest, 60, 64}};
  EXPECT_EQ(CountBars(score), static_cast<size_t>(kLatest) / 1920 + 1);
  score.tracks[1].notes.clear();
  score.tracks[0].notes = {{3840, 1, 60, 64}, {10, 1, 60, 64}};
  EXPECT_EQ(CountBars(score), 3u);
  score.time_signatures = {{0, 2, 4}};
  EXPECT_EQ(CountBars(score), 5u);
  EXPECT_EQ(CountBars(score, false), 3u);
  EXPECT_EQ(BarLine(score, 2), 1920);
  EXPECT_EQ(BarLine(score, 2, false), 3840);
}

}  // namespace
}  // namespace continuo
