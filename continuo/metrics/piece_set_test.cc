#include "continuo/metrics/piece_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <fstream>

#include "continuo/os/temporary_folder_testing.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Quarter notes that rise from C by `step` semitones, `notes` of them.
Score Scale(int step, int notes) {
  Score score;
  score.ticks_per_quarter = 480;
  Track& track = score.tracks.emplace_back();
  for (int i = 0; i < notes; ++i) {
    track.notes.push_back({i * 480, 480, static_cast<uint8_t>(36 + i * step % 60), 80});
  }
  return score;
}

std::vector<SetPiece> ThreeScales() {
  return {{"ones", Scale(1, 16)}, {"twos", Scale(2, 16)}, {"fives", Scale(5, 16)}};
}

double ValueOf(const MeasuredSet& set, size_t piece, std::string_view name) {
  return set.pieces[piece].values[static_cast<size_t>(FindMetric(name) - PieceMetrics().data())];
}

TEST(MeasureSet, GivesEachPieceItsValuesInTheOrderOfTheCatalogue) {
  const MeasuredSet set = MeasureSet(ThreeScales(), {}).value();
  EXPECT_THAT(set.names, ElementsAre("ones", "twos", "fives"));
  EXPECT_THAT(set.failures, IsEmpty());
  EXPECT_EQ(ValueOf(set, 0, "notes"), 16);
  EXPECT_EQ(ValueOf(set, 0, "bars"), 4);
  EXPECT_EQ(ValueOf(set, 0, "H1"), 2);  // four pitch classes per bar
  EXPECT_EQ(ValueOf(set, 0, "mean_interval"), 1);
  EXPECT_EQ(ValueOf(set, 1, "mean_interval"), 2);
  EXPECT_EQ(ValueOf(set, 0, "lowest_pitch"), 36);
  EXPECT_TRUE(std::isnan(ValueOf(set, 0, "SI_short")));  // not asked for
}

TEST(MeasureSet, IsTheSameOnAnyNumberOfThreads) {
  const MeasuredSet one = MeasureSet(ThreeScales(), {.threads = 1}).value();
  const MeasuredSet three = MeasureSet(ThreeScales(), {.threads = 3}).value();
  EXPECT_EQ(one.names, three.names);
  for (size_t i = 0; i < one.pieces.size(); ++i) {
    EXPECT_EQ(one.pieces[i].steps.steps, three.pieces[i].steps.steps);
    EXPECT_EQ(ValueOf(one, i, "GS"), ValueOf(three, i, "GS"));
  }
}

TEST(MeasureSet, SummarizesEachMetricOverThePieces) {
  const MeasuredSet set = MeasureSet(ThreeScales(), {}).value();
  const std::vector<Summary> summaries = set.Summaries();
  ASSERT_EQ(summaries.size(), PieceMetrics().size());
  const Summary& interval = summaries[static_cast<size_t>(FindMetric("mean_interval") - PieceMetrics().data())];
  EXPECT_EQ(interval.count, 3);
  EXPECT_DOUBLE_EQ(
      interval.mean,
      (ValueOf(set, 0, "mean_interval") + ValueOf(set, 1, "mean_interval") + ValueOf(set, 2, "mean_interval")) / 3);
  EXPECT_EQ(summaries[static_cast<size_t>(FindMetric("SI_mid") - PieceMetrics().data())].count, 0);
}

TEST(MeasureSet, MeasuresTheFormOfEachPieceAndItsMean) {
  Score loop = Scale(1, 4);  // one bar, then the same again
  for (int i = 0; i < 4; ++i) {
    loop.tracks[0].notes.push_back({1920 + i * 480, 480, static_cast<uint8_t>(36 + i), 80});
  }
  const std::vector<SetPiece> pieces = {{"loop", loop}, {"scale", Scale(1, 16)}, {"one bar", Scale(1, 4)}};
  const MeasuredSet set = MeasureSet(pieces, {}).value();
  EXPECT_EQ(set.MeanForm().At(1).exact, 0.5);  // of two pieces, as the third has no second bar
  EXPECT_EQ(set.MeanForm().At(2).exact, 0);
  EXPECT_TRUE(std::isnan(set.MeanForm().At(4).exact));
  EXPECT_TRUE(std::isnan(ValueOf(set, 1, "recurrence_4")));
  EXPECT_EQ(ValueOf(MeasureSet(std::vector<SetPiece>{{"scale", Scale(0, 20)}}, {}).value(), 0, "recurrence_4"), 1);
  EXPECT_EQ(ValueOf(set, 0, "doubled_onsets"), 0);
  EXPECT_EQ(ValueOf(set, 0, "overlapping_notes"), 0);
}

TEST(MeasureSet, MeasuresBarFeaturesWhenAskedToOfPiecesWithNotes) {
  EXPECT_THAT(MeasureSet(ThreeScales(), {}).value().BarFeatures(), IsEmpty());
  std::vector<SetPiece> pieces = ThreeScales();
  pieces.push_back({"silence", Score()});
  const MeasuredSet set = MeasureSet(pieces, {.feature_bars = 32}).value();
  EXPECT_EQ(set.names.size(), 4U);
  ASSERT_EQ(set.BarFeatures().size(), 3U);
  EXPECT_EQ(set.BarFeatures()[1], BarFeaturesOf(Scale(2, 16), 32));
}

TEST(MeasureSet, MeasuresWhatPrepareMakesOfAScore) {
  const auto an_octave_up = [](const Score& score) {
    Score higher = score;
    for (Note& note : higher.tracks[0].notes) {
      note.pitch += 12;
    }
    return higher;
  };
  const MeasuredSet set = MeasureSet(ThreeScales(), {.prepare = an_octave_up}).value();
  EXPECT_EQ(ValueOf(set, 0, "lowest_pitch"), 48);
}

TEST(MeasureSet, FindsRunsThatOccurAgainInTheSet) {
  const std::vector<SetPiece> twice = {{"a", Scale(5, 12)}, {"b", Scale(5, 12)}};
  // Ten runs of eight notes, all alike.
  EXPECT_THAT(MeasureSet(twice, {}).value().SetValues(), ElementsAre(0.1));
}

TEST(MeasureSet, ReportsFilesThatCannotBeReadAndMeasuresTheOthers) {
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteScore(Scale(1, 16), folder.path() / "good.mid").ok());
  std::ofstream(folder.path() / "bad.mid") << "not a MIDI file";
  const std::vector<std::filesystem::path> files = {folder.path() / "bad.mid", folder.path() / "good.mid",
                                                    folder.path() / "missing.mid"};
  const MeasuredSet set = MeasureSet(PiecesOf(files), {.threads = 2}).value();
  EXPECT_THAT(set.names, ElementsAre(files[1].string()));
  ASSERT_EQ(set.failures.size(), 2U);
  EXPECT_THAT(set.failures[0].message, HasSubstr("bad.mid"));
  EXPECT_THAT(set.failures[1].message, HasSubstr("missing.mid"));
}

TEST(MeasureSet, LeavesOutTheStructureOfLongPiecesWhenToldTo) {
  Score hours = Scale(1, 4);
  hours.tracks[0].notes.push_back({480 * 2 * 3600 * 2, 480, 60, 80});  // after two hours at 120 beats per minute
  const std::vector<SetPiece> pieces = {{"hours", hours}};
  const MeasuredSet strict = MeasureSet(pieces, {.structure = true}).value();
  EXPECT_THAT(strict.names, IsEmpty());
  EXPECT_THAT(strict.failures[0].message, HasSubstr("hours: "));
  EXPECT_EQ(strict.failures[0].code, ErrorCode::kTooLarge);
  const MeasuredSet set = MeasureSet(pieces, {.structure = true, .skip_long_structure = true}).value();
  ASSERT_EQ(set.pieces.size(), 1U);
  EXPECT_FALSE(set.pieces[0].structure.has_value());
  EXPECT_EQ(ValueOf(set, 0, "notes"), 5);
}

TEST(MeasureSet, EndsWithAStop) {
  EXPECT_EQ(MeasureSet(ThreeScales(), {}, NoProgress(), StopToken([] { return true; })).error().code,
            ErrorCode::kCancelled);
  std::atomic<int> asked = 0;
  const StopToken later([&asked] { return ++asked > 1; });
  EXPECT_EQ(MeasureSet(ThreeScales(), {}, NoProgress(), later).error().code, ErrorCode::kCancelled);
}

TEST(IndexSongs, FindsTheSongThatAPieceCopies) {
  const std::vector<SetPiece> songs = {{"ones", Scale(1, 20)}, {"fives", Scale(5, 20)}};
  const SongIndex index = IndexSongs(songs, 2).value();
  Score copy = Scale(5, 12);
  for (Note& note : copy.tracks[0].notes) {
    note.pitch += 2;
    note.time += 960;
  }
  const std::vector<SetPiece> pieces = {{"copy", copy}, {"twos", Scale(2, 12)}};
  const std::vector<CopiedRun> copies = MeasureSet(pieces, {}).value().FindCopies(index.index);
  ASSERT_EQ(copies.size(), 2U);
  EXPECT_EQ(copies[0].notes, 12);
  EXPECT_EQ(index.names[copies[0].song], "fives");
  EXPECT_EQ(copies[1].notes, 0);
}

TEST(IndexSongs, LeavesOutSongsThatCannotBeRead) {
  const std::vector<SetPiece> songs = {{"none.mid", std::filesystem::path("/nowhere/none.mid")}, {"ones", Scale(1, 9)}};
  const SongIndex index = IndexSongs(songs, 1).value();
  EXPECT_THAT(index.names, ElementsAre("ones"));
  EXPECT_EQ(index.failures.size(), 1U);
}

}  // namespace
}  // namespace continuo
