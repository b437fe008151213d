#include "continuo/metrics/form.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "continuo/metrics/bar_features.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

/// A track of notes a quarter long unless they say otherwise; a bar has 1920 ticks.
Track TrackOf(std::vector<Note> notes) {
  Track track;
  track.notes = std::move(notes);
  return track;
}

GridPiece PieceOf(std::vector<Track> tracks, std::vector<TimeSignature> signatures = {}) {
  Score score;
  score.ticks_per_quarter = 480;
  score.tracks = std::move(tracks);
  score.time_signatures = std::move(signatures);
  return PlaceOnGrid(score);
}

/// Bars of 4/4 that each hold the given pitches, a quarter each from the first beat on.
GridPiece Bars(const std::vector<std::vector<int>>& bars) {
  Track track;
  for (size_t bar = 0; bar < bars.size(); ++bar) {
    for (size_t i = 0; i < bars[bar].size(); ++i) {
      track.notes.push_back({static_cast<Tick>(bar * 1920 + i * 480), 480, static_cast<uint8_t>(bars[bar][i]), 80});
    }
  }
  return PieceOf({track});
}

TEST(RoundHalfToEven, TakesTheNearestAndOfTwoTheEven) {
  EXPECT_EQ(RoundHalfToEven(0, 2), 0);
  EXPECT_EQ(RoundHalfToEven(1, 2), 0);
  EXPECT_EQ(RoundHalfToEven(3, 2), 2);
  EXPECT_EQ(RoundHalfToEven(5, 2), 2);
  EXPECT_EQ(RoundHalfToEven(4, 3), 1);
  EXPECT_EQ(RoundHalfToEven(5, 3), 2);
}

TEST(MeasureForm, ALoopOfFourBarsReturnsWhollyAfterFourAndEightBars) {
  std::vector<std::vector<int>> bars;
  for (int i = 0; i < 12; ++i) {
    bars.push_back({60 + i % 4, 70 + i % 4});
  }
  const Form form = MeasureForm(Bars(bars));
  for (const size_t lag : {4U, 8U}) {
    EXPECT_DOUBLE_EQ(form.At(lag).exact, 1);
    EXPECT_NEAR(form.At(lag).rhythm, 1, 1e-8);
    EXPECT_NEAR(form.At(lag).chroma, 1, 1e-8);
  }
  EXPECT_EQ(form.At(1).exact, 0);
  EXPECT_NEAR(form.At(1).rhythm, 1, 1e-8);  // quarters on beats 1 and 2, as in every bar
  EXPECT_TRUE(std::isnan(form.At(12).exact));
  EXPECT_FALSE(std::isnan(form.At(11).exact));
}

TEST(MeasureForm, IsTheMeanOverPairsOfBars) {
  // After one bar: 1 of 3 notes in both; nothing; nothing, as a bar of another key; after two: all.
  const Form form = MeasureForm(Bars({{60, 62}, {60, 64}, {}, {60, 64}}));
  EXPECT_DOUBLE_EQ(form.At(1).exact, (1.0 / 3 + 0 + 0) / 3);
  EXPECT_NEAR(form.At(1).rhythm, 1.0 / 3, 1e-8);
  EXPECT_NEAR(form.At(1).chroma, 0.5 / 3, 1e-8);
  EXPECT_DOUBLE_EQ(form.At(2).exact, 1.0 / 2);
}

TEST(MeasureForm, AnotherOctaveHasTheSameChromaAndOtherNotes) {
  const Form form = MeasureForm(Bars({{60, 64}, {72, 76}}));
  EXPECT_EQ(form.At(1).exact, 0);
  EXPECT_NEAR(form.At(1).chroma, 1, 1e-8);
}

TEST(MeasureForm, RhythmIsTheCosineOfTheOnsets) {
  const Form form = MeasureForm(Bars({{60}, {60, 60}}));
  EXPECT_NEAR(form.At(1).rhythm, 1 / std::numbers::sqrt2, 1e-8);
}

TEST(MeasureForm, FollowsTheTimeSignatures) {
  // Bars of 3/4 from the start: C on each first beat. As 4/4 nothing would return.
  std::vector<Note> notes;
  for (Tick bar = 0; bar < 8; ++bar) {
    notes.push_back({bar * 1440, 480, static_cast<uint8_t>(60 + bar % 2), 80});
  }
  EXPECT_EQ(MeasureForm(PieceOf({TrackOf(notes)}, {{0, 3, 4}})).At(2).exact, 1);
  EXPECT_LT(MeasureForm(PieceOf({TrackOf(notes)})).At(2).exact, 1);
}

TEST(MeasureForm, DrumsCountInNotesAndRhythmButNotInChroma) {
  Track drums = TrackOf({{0, 480, 36, 80}, {1920, 480, 36, 80}});
  drums.is_drum = true;
  const Form form = MeasureForm(PieceOf({drums}));
  EXPECT_EQ(form.At(1).exact, 1);
  EXPECT_NEAR(form.At(1).rhythm, 1, 1e-8);
  EXPECT_EQ(form.At(1).chroma, 0);
}

TEST(MeasureForm, AMillionEmptyBarsCostNothing) {
  const Form form = MeasureForm(PieceOf({TrackOf({{0, 480, 60, 80}, {2'000'000'000, 480, 60, 80}})}));
  EXPECT_EQ(form.At(1).exact, 0);
  EXPECT_EQ(form.At(24).rhythm, 0);
}

TEST(MeasureForm, APieceWithoutNotesHasNone) {
  EXPECT_TRUE(std::isnan(MeasureForm(PieceOf({})).At(1).exact));
}

TEST(MeasureForm, EqualsTheFeaturesOfTheTwoSampleTestForPiecesOnTheGrid) {
  const Score score = ReadScore(CONTINUO_SOURCE_DIR "/examples/corpus/etude-09.mid").value();
  const Form form = MeasureForm(PlaceOnGrid(score, 32));
  const BarFeatureValues features = BarFeaturesOf(score, 32).value();
  int compared = 0;
  for (size_t i = 0; i < kBarFeatures; ++i) {
    const std::string& id = BarFeatureTable()[i].id;
    for (const size_t lag : {1U, 4U, 8U, 16U, 24U}) {
      const auto compare = [&](std::string_view kind, double value) {
        if (id == std::string(kind) + std::to_string(lag)) {
          EXPECT_NEAR(features[i], value, 1e-8) << id;
          ++compared;
        }
      };
      compare("js", form.At(lag).exact);
      compare("rs", form.At(lag).rhythm);
      compare("cs", form.At(lag).chroma);
    }
  }
  EXPECT_EQ(compared, 15);
}

TEST(DoubledOnsets, CountsNotesThatStrikeAKeyAgainAtTheSameTick) {
  EXPECT_EQ(DoubledOnsets(PieceOf({TrackOf({{0, 480, 60, 80}, {0, 240, 60, 90}, {0, 480, 64, 80}, {1, 480, 60, 80}})})),
            0.25);
  EXPECT_EQ(DoubledOnsets(PieceOf({TrackOf({{0, 480, 60, 80}, {0, 240, 60, 90}, {0, 240, 60, 90}})})), 2.0 / 3);
  EXPECT_TRUE(std::isnan(DoubledOnsets(PieceOf({}))));
}

TEST(DoubledOnsets, UnisonsOfTwoInstrumentsAreNotDoubled) {
  const Track track = TrackOf({{0, 480, 60, 80}});
  EXPECT_EQ(DoubledOnsets(PieceOf({track, track})), 0);
  EXPECT_EQ(OverlappingNotes(PieceOf({track, TrackOf({{240, 480, 60, 80}})})), 0);
}

TEST(OverlappingNotes, CountsNotesThatStrikeAKeyThatStillSounds) {
  // The second begins in the first, the third where the first ends, the fourth has another key.
  EXPECT_EQ(OverlappingNotes(
                PieceOf({TrackOf({{0, 480, 60, 80}, {240, 240, 60, 90}, {480, 480, 60, 80}, {500, 480, 61, 80}})})),
            0.25);
  // A short note within a long one does not end the long one.
  EXPECT_EQ(OverlappingNotes(PieceOf({TrackOf({{0, 960, 60, 80}, {240, 10, 60, 90}, {480, 480, 60, 80}})})), 2.0 / 3);
  // Struck twice at once is doubled, not overlapping.
  EXPECT_EQ(OverlappingNotes(PieceOf({TrackOf({{0, 480, 60, 80}, {0, 240, 60, 90}})})), 0);
}

TEST(OverlappingNotes, LeavesOutDrums) {
  Track drums = TrackOf({{0, 480, 36, 80}, {0, 480, 36, 80}, {240, 480, 36, 80}});
  drums.is_drum = true;
  EXPECT_TRUE(std::isnan(OverlappingNotes(PieceOf({drums}))));
  EXPECT_TRUE(std::isnan(DoubledOnsets(PieceOf({drums}))));
}

}  // namespace
}  // namespace continuo
