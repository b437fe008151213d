#include "continuo/metrics/description.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace continuo {
namespace {

constexpr Tick kQuarter = 480;
constexpr Tick kBar = 4 * kQuarter;

Score ScoreOf(std::vector<Note> notes) {
  Score score;
  score.tracks.resize(1);
  score.tracks[0].notes = std::move(notes);
  return score;
}

size_t Class(std::string_view name) {
  for (size_t i = 0; i < kLengthClasses; ++i) {
    if (kLengthClassTable[i].name == name) {
      return i;
    }
  }
  ADD_FAILURE() << name;
  return 0;
}

TEST(Describe, APieceWithoutNotesHasNothingToDescribe) {
  const Description description = Describe(Score{});
  EXPECT_TRUE(std::isnan(description.notes_per_bar));
  EXPECT_TRUE(std::isnan(description.polyphony));
  EXPECT_TRUE(std::isnan(description.empty_bars));
  EXPECT_TRUE(std::isnan(description.scale_consistency));
  EXPECT_TRUE(std::isnan(description.tempo_mean));
  EXPECT_EQ(description.key.Name(), "-");
  EXPECT_EQ(description.pitches_used, 0);
}

TEST(Describe, CountsNotesAndEmptyBars) {
  Score score = ScoreOf({{0, 10, 60, 64}, {10, 10, 62, 64}, {3 * kBar, 10, 64, 64}});
  score.tracks.emplace_back();
  score.tracks[1].is_drum = true;
  score.tracks[1].notes = {{kBar, 10, 36, 64}};
  const Description description = Describe(score);
  EXPECT_DOUBLE_EQ(description.notes_per_bar, 4 / 4.0);
  EXPECT_DOUBLE_EQ(description.empty_bars, 1 / 4.0);
  EXPECT_EQ(description.lowest_pitch, 60);  // the drum is no pitch
  EXPECT_EQ(description.highest_pitch, 64);
  EXPECT_EQ(description.pitches_used, 3);
}

TEST(Describe, PolyphonyIsOverTheTimeInWhichSomethingSounds) {
  // Two quarters of three notes, two of one; then silence, then a quarter of one: 9 note quarters
  // in 5.
  const Description description = Describe(ScoreOf({{0, 4 * kQuarter, 48, 64},
                                                    {0, 2 * kQuarter, 60, 64},
                                                    {0, 2 * kQuarter, 64, 64},
                                                    {8 * kQuarter, kQuarter, 67, 64}}));
  EXPECT_DOUBLE_EQ(description.polyphony, 9 / 5.0);
}

TEST(Describe, ScaleConsistencyIsTheShareInTheBestMajorScale) {
  // D major's scale, and a C natural: 7 of 8 fit D major, and 7 of 8 G major. With an F natural, 7
  // of 9.
  std::vector<Note> notes;
  for (const int pitch : {62, 64, 66, 67, 69, 71, 73, 72}) {
    notes.push_back({static_cast<Tick>(notes.size()) * kQuarter, kQuarter, static_cast<uint8_t>(pitch), 64});
  }
  EXPECT_DOUBLE_EQ(Describe(ScoreOf(notes)).scale_consistency, 7 / 8.0);
  notes.push_back({8 * kQuarter, kQuarter, 65, 64});
  EXPECT_DOUBLE_EQ(Describe(ScoreOf(notes)).scale_consistency, 7 / 9.0);
}

TEST(Describe, LengthsAndGapsAreSortedByTheNearestName) {
  // A chord of two quarters, an eighth of a triplet at the second beat, a swung eighth 10 ticks
  // late.
  const Description description = Describe(ScoreOf(
      {{0, kQuarter, 60, 64}, {0, kQuarter + 20, 64, 64}, {kQuarter, 160, 67, 64}, {kQuarter + 330, 235, 72, 64}}));
  EXPECT_DOUBLE_EQ(description.note_lengths[Class("quarter")], 0.5);
  EXPECT_DOUBLE_EQ(description.note_lengths[Class("eighth triplet")], 0.25);
  EXPECT_DOUBLE_EQ(description.note_lengths[Class("eighth")], 0.25);
  EXPECT_DOUBLE_EQ(description.onset_gaps[Class("quarter")], 0.5);
  EXPECT_DOUBLE_EQ(description.onset_gaps[Class("quarter triplet")], 0.5);
  EXPECT_DOUBLE_EQ(description.mean_onset_gap, (1 + 330 / 480.0) / 2);
  EXPECT_DOUBLE_EQ(description.mean_interval, (4 + 3 + 5) / 3.0);
  const size_t quarter = Class("quarter");
  EXPECT_DOUBLE_EQ(description.note_length_transitions[quarter * kLengthClasses + quarter], 1 / 3.0);
  EXPECT_DOUBLE_EQ(description.pitch_class_transitions[0 * 12 + 4], 1 / 3.0);
  EXPECT_DOUBLE_EQ(description.pitch_class_transitions[4 * 12 + 7], 1 / 3.0);
  EXPECT_DOUBLE_EQ(std::accumulate(description.pitch_classes.begin(), description.pitch_classes.end(), 0.0), 1);
}

TEST(Describe, TempoIsWeightedByTheQuartersItLasts) {
  // 120 for one bar, 60 for three; what is in force after the last note does not count.
  Score score = ScoreOf({{0, 4 * kBar, 60, 64}});
  score.tempos = {{kBar, 1000000}, {4 * kBar, 1}};
  const Description description = Describe(score);
  EXPECT_DOUBLE_EQ(description.tempo_mean, 75);
  EXPECT_NEAR(description.tempo_deviation, std::sqrt((45.0 * 45 + 3 * 15 * 15) / 4), 1e-9);
  score.tempos = {{0, 700000}};
  EXPECT_EQ(Describe(score).tempo_deviation, 0);
}

TEST(Describe, TheFirstBarsAreDescribedAlone) {
  Score score = ScoreOf({{0, 2 * kBar, 60, 64}, {kBar, kQuarter, 72, 64}});
  score.tempos = {{0, 500000}, {kBar, 1000000}};
  const Description description = Describe(score, 1);
  EXPECT_EQ(description.notes_per_bar, 1);
  EXPECT_EQ(description.highest_pitch, 60);
  EXPECT_EQ(description.tempo_mean, 120);
}

// Expected values computed with numpy.corrcoef.
TEST(EstimateKey, CorrelatesWithTheKeyProfiles) {
  const Key major = EstimateKey({4, 0, 1, 0, 3, 1, 0, 4, 0, 2, 0, 1});
  EXPECT_EQ(major.Name(), "C major");
  EXPECT_NEAR(major.correlation, 0.9448697256402832, 1e-12);
  const Key minor = EstimateKey({0, 4, 2, 0, 1, 0, 5, 0, 1, 3, 0, 2});
  EXPECT_EQ(minor.Name(), "F# minor");
  EXPECT_NEAR(minor.correlation, 0.9530815700515342, 1e-12);
  EXPECT_EQ(EstimateKey({1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}).Name(), "-");
}

TEST(EstimateKey, WeighsPitchClassesByTheTimeTheySound) {
  // A minor's triad as long notes, C major's as short ones.
  const Description description = Describe(ScoreOf({{0, kBar, 57, 64},
                                                    {0, kBar, 60, 64},
                                                    {0, kBar, 64, 64},
                                                    {kBar, 60, 67, 64},
                                                    {kBar + 60, 60, 67, 64},
                                                    {kBar + 120, 60, 67, 64}}));
  EXPECT_EQ(description.key.Name(), "A minor");
}

}  // namespace
}  // namespace continuo
