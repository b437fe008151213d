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

// As music21 10.5.1 writes bars of these lengths.
TEST(BarGrid, RoundsEachLineToTheNearestTick) {
  EXPECT_EQ(Lines(BarGrid(WithSignatures({{0, 3, 8}}, 1)), 7), (Ticks{0, 2, 3, 5, 6, 8, 9}));       // 1.5 ticks
  EXPECT_EQ(Lines(BarGrid(WithSignatures({{0, 5, 16}}, 1)), 6), (Ticks{0, 1, 3, 4, 5, 6}));         // 1.25 ticks
  EXPECT_EQ(Lines(BarGrid(WithSignatures({{0, 7, 16}}, 2)), 5), (Ticks{0, 4, 7, 11, 14}));          // 3.5 ticks
  EXPECT_EQ(Lines(BarGrid(WithSignatures({{0, 1, 32}}, 12)), 5), (Ticks{0, 2, 3, 5, 6}));           // 1.5 ticks
  EXPECT_EQ(Lines(BarGrid(WithSignatures({{0, 5, 64}}, 5)), 8), (Ticks{0, 2, 3, 5, 6, 8, 9, 11}));  // 25/16 ticks
}

TEST(BarGrid, NoFileIsTooLongForExactLines) {
  const BarGrid grid(WithSignatures({{0, 3, 8}}, 1));
  EXPECT_EQ(grid.Line(1'000'000'000), 1'500'000'000);
  EXPECT_EQ(grid.BarAt(1'500'000'000), 1'000'000'000U);
  EXPECT_EQ(grid.BarAt(1'499'999'999), 999'999'999U);
  EXPECT_EQ(grid.Line(1'000'000'001), 1'500'000'002);
}

TEST(BarGrid, HasBarsOfATickAtLeast) {
  const BarGrid grid(WithSignatures({{0, 1, 128}}, 1));
  EXPECT_EQ(Lines(grid, 3), (Ticks{0, 1, 2}));
  EXPECT_FALSE(grid.IsCut(1));
}

// Bars of 1.5, 1, 1.5 and 4 ticks, the signature of each on the tick that its line is rounded to.
TEST(BarGrid, ASignatureAtARoundedLineBeginsWhereTheLineIs) {
  const BarGrid grid(WithSignatures({{0, 3, 8}, {2, 2, 8}, {3, 3, 8}, {4, 4, 4}}, 1));
  EXPECT_EQ(Lines(grid, 6), (Ticks{0, 2, 3, 4, 8, 12}));
  for (size_t bar = 0; bar < 5; ++bar) {
    EXPECT_FALSE(grid.IsCut(bar)) << bar;
  }
  const BarGrid common(WithSignatures({{0, 3, 8}, {5, 4, 4}}, 1));
  EXPECT_EQ(Lines(common, 6), (Ticks{0, 2, 3, 5, 9, 13}));
  EXPECT_EQ(common.Signature(3), (TimeSignature{5, 4, 4}));
  EXPECT_EQ(common.ExactLine(3).numerator * 2, 9 * common.ExactLine(3).denominator);
  EXPECT_FALSE(common.IsCut(2));
  // Another of the tick takes its place.
  EXPECT_EQ(Lines(BarGrid(WithSignatures({{0, 3, 8}, {5, 4, 4}, {5, 3, 8}}, 1)), 5), (Ticks{0, 2, 3, 5, 6}));
  EXPECT_EQ(Lines(BarGrid(WithSignatures({{0, 3, 8}, {5, 4, 4}, {5, 2, 8}}, 1)), 6), (Ticks{0, 2, 3, 5, 6, 7}));
}

TEST(BarGrid, KnowsWhichBarsAreCutShort) {
  const BarGrid grid(WithSignatures({{0, 3, 8}, {4, 4, 4}}, 1));  // bar 3, from tick 3 to 4.5
  EXPECT_EQ(Lines(grid, 5), (Ticks{0, 2, 3, 4, 8}));
  EXPECT_FALSE(grid.IsCut(1));
  EXPECT_TRUE(grid.IsCut(2));
  EXPECT_EQ(grid.Length(2).numerator, grid.Length(2).denominator);
  EXPECT_EQ(grid.Length(1).numerator * 2, 3 * grid.Length(1).denominator);
  // A line that is not on a tick, and the tick that cuts its bar short.
  const BarGrid half(WithSignatures({{0, 3, 8}, {6, 4, 4}, {8, 3, 4}, {10, 3, 8}, {12, 1, 4}}, 1));
  EXPECT_TRUE(half.IsCut(4));
  const BarGrid after(WithSignatures({{0, 3, 8}, {2, 4, 4}, {4, 3, 8}}, 1));  // 4/4 from 1.5 to 4
  EXPECT_TRUE(after.IsCut(1));
  EXPECT_EQ(after.Length(1).numerator * 2, 5 * after.Length(1).denominator);
  EXPECT_EQ(Lines(after, 5), (Ticks{0, 2, 4, 6, 7}));
}

TEST(BarGrid, TakesSignaturesThatNoMidiFileHas) {
  // 4/3 and 4/7: a common denominator of all of them would be beyond 64 bits.
  std::vector<TimeSignature> signatures;
  Tick time = 0;
  for (const int32_t prime : {3, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83}) {
    signatures.push_back({time, prime - 1, prime});
    time = BarGrid(WithSignatures(signatures, 100)).Line(signatures.size());
  }
  const BarGrid grid(WithSignatures(signatures, 100));
  for (size_t bar = 0; bar < 40; ++bar) {
    ASSERT_LT(grid.Line(bar), grid.Line(bar + 1));
    EXPECT_EQ(grid.BarAt(grid.Line(bar)), bar);
  }
  const BarGrid largest(WithSignatures({{0, kLatest, kLatest}, {4, kLatest - 1, kLatest}, {8, kLatest, 1}}, 1));
  EXPECT_EQ(Lines(largest, 4), (Ticks{0, 4, 8, kLatest}));
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
    Score score = WithSignatures({}, 1 + static_cast<int32_t>(rng.NextBelow(round % 2 == 0 ? 500 : 4)));
    Tick time = 0;
    for (int i = 0; i < 8; ++i) {
      score.time_signatures.push_back({time, 1 + static_cast<int32_t>(rng.NextBelow(12)), 1 << rng.NextBelow(7)});
      time += static_cast<Tick>(rng.NextBelow(round % 2 == 0 ? 5000 : 20));
    }
    const BarGrid grid(score);
    for (size_t bar = 0; bar < 60; ++bar) {
      ASSERT_LT(grid.Line(bar), grid.Line(bar + 1));
      const TickFraction exact = grid.ExactLine(bar);
      EXPECT_LE(std::abs(2 * (int64_t{grid.Line(bar)} * exact.denominator - exact.numerator)), exact.denominator);
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
  EXPECT_EQ(BarGrid(score).Line(2), 1920);
  EXPECT_EQ(BarGrid(score, false).Line(2), 3840);
}

}  // namespace
}  // namespace continuo
