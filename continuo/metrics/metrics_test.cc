#include "continuo/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "continuo/core/rng.h"
#include "continuo/core/shared_data_testing.h"
#include "continuo/metrics/bar_metrics.h"
#include "continuo/metrics/chord_finder.h"
#include "continuo/metrics/golden_files_testing.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;

constexpr Tick kQuarter = 480;
constexpr Tick kBar = 4 * kQuarter;

class PieceBuilder {
 public:
  PieceBuilder() { score_.tracks.resize(1); }
  PieceBuilder& Note(Tick time, Tick duration, int pitch) {
    score_.tracks[0].notes.push_back({time, duration, static_cast<uint8_t>(pitch), 64});
    return *this;
  }
  PieceBuilder& Drum(Tick time) {
    score_.tracks.emplace_back();
    score_.tracks.back().is_drum = true;
    score_.tracks.back().notes.push_back({time, kQuarter, 38, 64});
    return *this;
  }
  PieceBuilder& Chord(Tick time, Tick duration, std::initializer_list<int> pitches) {
    for (const int pitch : pitches) {
      Note(time, duration, pitch);
    }
    return *this;
  }
  PieceBuilder& Signature(Tick time, int numerator, int denominator) {
    score_.time_signatures.push_back({time, numerator, denominator});
    return *this;
  }
  Score score() const { return score_; }
  Metrics Measure(int64_t first_bars = 0) const { return MeasureBars(score_, first_bars); }

 private:
  Score score_;
};

std::vector<std::string> ChordNames(const Score& score, int64_t first_bars = 0) {
  std::vector<std::string> names;
  for (const Chord& chord : FindChordChanges(PlaceOnGrid(score, first_bars))) {
    names.push_back(chord.Text());
  }
  return names;
}

TEST(MeasureBars, APieceWithoutNotesHasNoBarsAndNoEntropy) {
  const Metrics metrics = MeasureBars(Score{});
  EXPECT_EQ(metrics.bars, 0);
  EXPECT_EQ(metrics.notes, 0);
  EXPECT_TRUE(std::isnan(metrics.h1));
  EXPECT_TRUE(std::isnan(metrics.h4));
  EXPECT_TRUE(std::isnan(metrics.gs));
  EXPECT_EQ(metrics.cpi, 1);
}

TEST(MeasureBars, EntropyCountsPitchClassesNotOctavesNorLengths) {
  const Metrics metrics =
      PieceBuilder().Note(0, 10, 60).Note(0, 4 * kBar, 72).Note(kQuarter, 10, 67).Note(kQuarter, 10, 43).Measure();
  EXPECT_EQ(metrics.bars, 1);
  EXPECT_DOUBLE_EQ(metrics.h1, 1);  // half C, half G
  EXPECT_DOUBLE_EQ(metrics.h4, 1);
  EXPECT_TRUE(std::isnan(metrics.gs));
}

TEST(MeasureBars, EntropyOfBarsLeavesOutThoseWithoutPitchedNotes) {
  const Metrics metrics =
      PieceBuilder().Note(0, 10, 60).Note(0, 10, 61).Note(2 * kBar, 10, 62).Drum(kBar).Drum(3 * kBar).Measure();
  EXPECT_EQ(metrics.bars, 4);
  EXPECT_EQ(metrics.notes, 5);
  EXPECT_DOUBLE_EQ(metrics.h1, (1 + 0) / 2.0);
  EXPECT_DOUBLE_EQ(metrics.h4, std::log2(3.0));
}

TEST(MeasureBars, FourBarWindowsMoveByOneBar) {
  // Bars 0..4 hold one pitch class each: 0 0 0 0 1. Windows: 0000, 0001.
  const Metrics metrics = PieceBuilder()
                              .Note(0, 10, 60)
                              .Note(kBar, 10, 60)
                              .Note(2 * kBar, 10, 60)
                              .Note(3 * kBar, 10, 60)
                              .Note(4 * kBar, 10, 61)
                              .Measure();
  EXPECT_DOUBLE_EQ(metrics.h1, 0);
  EXPECT_DOUBLE_EQ(metrics.h4, (0 - 0.75 * std::log2(0.75) - 0.25 * std::log2(0.25)) / 2);
}

TEST(MeasureBars, GroovesOfDrumsCountAndNotesAtOnePlaceCountOnce) {
  // Bar 0 strikes positions 0 and 8, bar 1 position 0, bar 2 none, bar 3 position 8.
  const Metrics metrics =
      PieceBuilder().Chord(0, 10, {60, 64, 67}).Note(kQuarter, 10, 60).Drum(kBar).Drum(3 * kBar + kQuarter).Measure();
  // Distances of the pairs 01 02 03 12 13 23: 1 2 1 1 2 1.
  EXPECT_DOUBLE_EQ(metrics.gs, 1 - 8.0 / 6 / 32);
}

TEST(MeasureBars, OnsetsGoToTheNearestThirtySecondAndHalvesToTheLater) {
  // A step is 60 ticks. 29 is nearer to 0, 30 goes to 60; 1890 goes into the next bar.
  EXPECT_EQ(PlaceOnGrid(PieceBuilder().Note(29, 10, 60).score()).notes[0].position, 0);
  EXPECT_EQ(PlaceOnGrid(PieceBuilder().Note(30, 10, 60).score()).notes[0].position, 1);
  EXPECT_EQ(PieceBuilder().Note(kBar - 31, 10, 60).Measure().bars, 1);
  EXPECT_EQ(PieceBuilder().Note(kBar - 30, 10, 60).Measure().bars, 2);
}

TEST(MeasureBars, ASignatureThatChangesNothingBeginsNoBar) {
  EXPECT_EQ(PieceBuilder().Signature(480, 4, 4).Note(kBar, 10, 60).Measure().bars, 2);
  EXPECT_EQ(PieceBuilder().Signature(480, 0, 4).Signature(480, 4, 0).Note(kBar, 10, 60).Measure().bars, 2);
  // Of two at one tick the last counts.
  EXPECT_EQ(PieceBuilder().Signature(480, 3, 4).Signature(480, 4, 4).Note(kBar, 10, 60).Measure().bars, 2);
}

TEST(MeasureBars, ANewSignatureCutsTheBarShort) {
  const GridPiece piece = PlaceOnGrid(PieceBuilder()
                                          .Note(0, 10, 60)
                                          .Signature(kQuarter, 3, 4)
                                          .Note(kQuarter, 10, 60)
                                          .Note(5 * kQuarter, 10, 60)
                                          .score());
  EXPECT_EQ(piece.bars, 3);
  EXPECT_EQ(piece.positions, 32);
  EXPECT_EQ(piece.notes[1].bar, 1);
  EXPECT_EQ(piece.notes[1].position, 0);
  EXPECT_EQ(piece.notes[2].bar, 2);
  EXPECT_EQ(piece.notes[2].position, 8);
  // One at the start replaces 4/4 altogether.
  EXPECT_EQ(PlaceOnGrid(PieceBuilder().Signature(0, 3, 4).Note(0, 10, 60).score()).positions, 24);
}

TEST(MeasureBars, TheFirstBarsAreMeasuredAsIfTheRestWereNotThere) {
  PieceBuilder piece;
  piece.Note(0, 3 * kBar, 60)
      .Note(kBar, 10, 64)
      .Note(2 * kBar, 10, 61)
      .Note(3 * kBar, 10, 62)
      .Signature(2 * kBar, 7, 4);
  const Metrics metrics = piece.Measure(2);
  EXPECT_EQ(metrics.bars, 2);
  EXPECT_EQ(metrics.notes, 2);
  EXPECT_DOUBLE_EQ(metrics.gs, 1);
  EXPECT_EQ(PlaceOnGrid(piece.score(), 2).positions, 32);
  EXPECT_EQ(PlaceOnGrid(piece.score(), 2).notes[0].end, 64);
  EXPECT_EQ(PlaceOnGrid(piece.score(), 3).positions, 56);
  EXPECT_EQ(piece.Measure(100).bars, piece.Measure().bars);
}

TEST(MeasureBars, AMillionEmptyBarsCostNothing) {
  Score score = PieceBuilder().Note(0, 1, 60).Note(std::numeric_limits<Tick>::max() - 4, 4, 61).score();
  score.ticks_per_quarter = 1;
  score.time_signatures = {{0, 1, 1024}};
  const Metrics metrics = MeasureBars(score);
  const int64_t bars = int64_t{std::numeric_limits<Tick>::max()} - 3;  // each a tick, of eight steps
  EXPECT_EQ(metrics.bars, bars);
  EXPECT_EQ(metrics.h1, 0);
  EXPECT_EQ(metrics.h4, 0);
  // Two bars of B have a note: 2 (B - 2) pairs of B (B - 1) / 2 differ at one position of eight.
  const auto b = static_cast<double>(bars);
  EXPECT_NEAR(metrics.gs, 1 - 4 * (b - 2) / (8 * b * (b - 1)), 1e-12);
}

TEST(MeasureBars, BarsAreThoseOfTheBarGrid) {
  // Five 64ths are two and a half steps; a signature that comes a tick after a line cuts a bar off
  // that is shorter than a step.
  EXPECT_EQ(PieceBuilder().Signature(0, 5, 64).Note(100 * 150, 10, 60).Measure().bars, 101);
  EXPECT_EQ(PieceBuilder().Signature(1, 3, 4).Note(1 + 3 * kQuarter, 10, 60).Measure().bars, 3);
  Rng rng(1, 0);
  for (int i = 0; i < 500; ++i) {
    Score score;
    score.ticks_per_quarter = static_cast<int32_t>(1 + rng.NextBelow(i % 2 == 0 ? 12 : 960));
    Tick time = 0;
    for (size_t signature = 0; signature < 4; ++signature) {
      const auto numerator = static_cast<int32_t>(1 + rng.NextBelow(12));
      score.time_signatures.push_back({time, numerator, int32_t{1} << rng.NextBelow(7)});
      time += static_cast<Tick>(rng.NextBelow(static_cast<uint64_t>(score.ticks_per_quarter) * 16));
    }
    score.tracks.resize(1);
    const BarGrid grid(score);
    for (size_t note = 0; note < 50; ++note) {
      score.tracks[0].notes.push_back(
          {static_cast<Tick>(rng.NextBelow(static_cast<uint64_t>(score.ticks_per_quarter) * 60)), 1, 60, 64});
    }
    const GridPiece piece = PlaceOnGrid(score);
    for (const GridNote& note : piece.notes) {
      // The bar of its time, or the next where the note is rounded to that bar's line or past it.
      const auto bar = static_cast<int64_t>(grid.BarAt(note.time));
      ASSERT_GE(note.position, 0);
      ASSERT_EQ(note.onset, piece.LineStep(note.bar) + note.position);
      ASSERT_LT(note.onset, piece.LineStep(note.bar + 1));
      ASSERT_EQ(note.bar, piece.BarAt(note.onset));
      ASSERT_TRUE(note.bar >= bar || piece.LineStep(bar) > note.onset) << i;
      ASSERT_TRUE(note.bar <= bar || piece.LineStep(bar + 1) <= note.onset) << i;
    }
  }
}

TEST(ChordFinder, NamesTheTriadsAndSeventhsOfHalfBars) {
  EXPECT_THAT(ChordNames(PieceBuilder()
                             .Chord(0, kBar / 2, {48, 64, 67})
                             .Chord(kBar / 2, kBar / 2, {45, 60, 64, 67})
                             .Chord(kBar, kBar / 2, {43, 59, 62, 65})
                             .Chord(kBar + kBar / 2, kBar / 2, {47, 62, 65})
                             .Chord(2 * kBar, kBar / 2, {41, 65, 67, 72})
                             .score()),
              ElementsAre("C_M", "A_m7", "G_7", "B_o", "F_sus2"));
}

TEST(ChordFinder, MergesEqualChordsAlsoAcrossSilence) {
  EXPECT_THAT(ChordNames(PieceBuilder()
                             .Chord(0, 10, {60, 64, 67})
                             .Chord(7 * kBar, 10, {60, 64, 67})
                             .Chord(8 * kBar, 10, {57, 60, 64})
                             .Drum(9 * kBar)
                             .score()),
              ElementsAre("C_M", "A_m"));
}

TEST(ChordFinder, WeighsNotesByTheTimeTheySoundInTheWindow) {
  // C E G for the whole of two bars; in the second half A sounds a beat, in the second bar all
  // along.
  EXPECT_THAT(ChordNames(PieceBuilder()
                             .Chord(0, 2 * kBar, {60, 64, 67})
                             .Note(kBar / 2, kQuarter / 4, 69)
                             .Note(kBar, kBar, 69)
                             .score()),
              ElementsAre("C_M", "A_m7"));
}

TEST(ChordFinder, ANoteOfAMillionBarsIsAsQuickAsAShortOne) {
  PieceBuilder piece;
  for (int i = 0; i < 1000; ++i) {
    piece.Chord(i, std::numeric_limits<Tick>::max() - i, {60, 64, 67});
  }
  piece.Note(std::numeric_limits<Tick>::max() - 1, 1, 69);
  Score score = piece.score();
  score.ticks_per_quarter = 1;
  EXPECT_THAT(ChordNames(score), ElementsAre("C_M"));
}

TEST(ChordProgressionIrregularity, CountsDifferentTrigramsButTheLast) {
  const auto cpi = [](std::vector<uint32_t> labels) { return ChordProgressionIrregularity(labels); };
  EXPECT_EQ(cpi({}), 1);
  EXPECT_EQ(cpi({1, 2, 3}), 1);
  EXPECT_EQ(cpi({1, 2, 3, 1}), 1);              // 123
  EXPECT_EQ(cpi({1, 2, 1, 2, 1, 2}), 2 / 3.0);  // 121 212 121
  EXPECT_EQ(cpi({1, 1, 1, 1, 1, 1, 9}), 1 / 4.0);
}

void ExpectSame(double value, const std::string& expected, double tolerance) {
  const double number = ToNumber(expected);
  if (std::isnan(number)) {
    EXPECT_TRUE(std::isnan(value)) << value;
  } else {
    EXPECT_NEAR(value, number, tolerance);
  }
}

TEST(MeasureBars, EqualsTheReferenceOnRealSongs) {
  CONTINUO_NEEDS_SHARED();
  const auto rows = ReadTable(SharedDir() / "golden" / "metrics" / "midi.tsv", '\t');
  ASSERT_EQ(rows.size(), 178U);
  for (const auto& row : rows) {
    SCOPED_TRACE(row.at("file"));
    const Result<Score> score = ReadScore(SharedDir() / row.at("file"));
    ASSERT_TRUE(score.ok()) << score.error().ToString();
    const Metrics metrics = MeasureBars(*score);
    EXPECT_EQ(std::to_string(metrics.bars), row.at("bars"));
    EXPECT_EQ(std::to_string(PlaceOnGrid(*score).positions), row.at("positions"));
    EXPECT_EQ(std::to_string(metrics.notes), row.at("notes"));
    EXPECT_EQ(std::to_string(metrics.chords), row.at("chords"));
    ExpectSame(metrics.h1, row.at("H1"), 1e-12);
    ExpectSame(metrics.h4, row.at("H4"), 1e-12);
    ExpectSame(metrics.gs, row.at("GS"), 1e-12);
    ExpectSame(metrics.cpi, row.at("CPI"), 1e-12);
  }
}

// Mean over all songs, of the whole and of the first 32 bars.
TEST(MeasureBars, EqualsTheReferenceOnAllOfPop1K7) {
  CONTINUO_NEEDS_SHARED();
  std::array<double, 2> h1{};
  std::array<double, 2> h4{};
  std::array<double, 2> gs{};
  double songs = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(SharedDir() / "data" / "pop1k7")) {
    if (entry.path().extension() != ".mid") {
      continue;
    }
    const Result<Score> score = ReadScore(entry.path());
    ASSERT_TRUE(score.ok()) << score.error().ToString();
    ++songs;
    for (const size_t extent : {0, 1}) {
      const Metrics metrics = MeasureBars(*score, extent == 0 ? 0 : 32);
      h1[extent] += metrics.h1;
      h4[extent] += metrics.h4;
      gs[extent] += metrics.gs;
    }
  }
  ASSERT_EQ(songs, 1747);
  const std::array<std::string, 2> extents = {"whole", "first32"};
  size_t compared = 0;
  for (const auto& row : ReadTable(SharedDir() / "golden" / "metrics" / "pop1k7_summary.tsv", '\t')) {
    for (const size_t extent : {0, 1}) {
      if (row.at("extent") != extents[extent]) {
        continue;
      }
      const std::string metric = row.at("metric");
      const double sum = metric == "H1" ? h1[extent] : metric == "H4" ? h4[extent] : gs[extent];
      if (metric == "H1" || metric == "H4" || metric == "GS") {
        EXPECT_NEAR(sum / songs, ToNumber(row.at("mean")), 1e-12) << extents[extent] << " " << metric;
        ++compared;
      }
    }
  }
  EXPECT_EQ(compared, 6U);
}

// The tokens of MusDr's five pieces: 192 begins a bar, 193..256 are 64 positions, 0..127 notes,
// 322..333 the tone of a chord, 334..345 its bass, 346..392 its type.
struct JazzPiece {
  int64_t bars = 0;
  std::vector<BarPitchClass> pitch_classes;
  std::vector<BarPosition> positions;
  std::vector<uint32_t> chords;
};

JazzPiece ReadJazz(const std::filesystem::path& path) {
  std::vector<int> ids;
  for (const auto& row : ReadTable(path, ',')) {
    ids.push_back(static_cast<int>(ToNumber(row.at("ENCODING"))));
  }
  if (!ids.empty() && ids.back() == 192) {
    ids.pop_back();
  }
  JazzPiece piece;
  int64_t position = 63;
  std::vector<int> chord_parts;
  for (const int id : ids) {
    if (id == 192) {
      ++piece.bars;
      position = 63;
    } else if (id >= 193 && id <= 256) {
      position = id - 193;
    } else if (id < 128 && piece.bars > 0) {
      piece.pitch_classes.push_back({piece.bars - 1, static_cast<uint8_t>(id % 12)});
      piece.positions.push_back({piece.bars - 1, position});
    } else if (id >= 322 && id <= 392) {
      chord_parts.push_back(id);
    }
  }
  std::sort(piece.positions.begin(), piece.positions.end(), [](const BarPosition& a, const BarPosition& b) {
    return std::pair(a.bar, a.position) < std::pair(b.bar, b.position);
  });
  // A chord is tone, type, bass; MusDr loses all that follow the first one that is not.
  for (size_t i = 0; i + 2 < chord_parts.size(); i += 3) {
    if (chord_parts[i + 2] < 334 || chord_parts[i + 2] > 345) {
      break;
    }
    piece.chords.push_back(
        static_cast<uint32_t>((chord_parts[i] * 1000 + chord_parts[i + 1]) * 1000 + chord_parts[i + 2]));
  }
  return piece;
}

TEST(BarMetrics, EqualMusDrOnItsOwnPieces) {
  CONTINUO_NEEDS_SHARED();
  const auto rows = ReadTable(SharedDir() / "golden" / "metrics" / "musdr.tsv", '\t');
  ASSERT_EQ(rows.size(), 5U);
  for (const auto& row : rows) {
    SCOPED_TRACE(row.at("file"));
    const JazzPiece piece = ReadJazz(SharedDir() / "data" / "musdr" / "symbolic" / row.at("file"));
    EXPECT_EQ(std::to_string(piece.bars), row.at("bars"));
    EXPECT_EQ(std::to_string(piece.chords.size()), row.at("chords"));
    ExpectSame(PitchClassEntropy(piece.pitch_classes, piece.bars, 1), row.at("H1"), 1e-12);
    ExpectSame(PitchClassEntropy(piece.pitch_classes, piece.bars, 4), row.at("H4"), 1e-12);
    ExpectSame(GroovingSimilarity(piece.positions, piece.bars, 64), row.at("GS"), 1e-12);
    ExpectSame(ChordProgressionIrregularity(piece.chords), row.at("CPI"), 1e-12);
  }
}

}  // namespace
}  // namespace continuo
