#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "continuo/notation/sheet.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Quarters {
  double from;
  double to;
  int pitch;
};

// Times in quarter notes. In A minor, so that no key is estimated.
Score Piece(const std::vector<Quarters>& notes, int numerator = 4, int denominator = 4) {
  Score score;
  score.time_signatures = {{0, numerator, denominator}};
  score.key_signatures = {{0, 0, 1}};
  Track track;
  for (const Quarters& note : notes) {
    const auto from = static_cast<Tick>(note.from * 480 + 0.5);
    track.notes.push_back({from, static_cast<Tick>(note.to * 480 + 0.5) - from, static_cast<uint8_t>(note.pitch), 64});
  }
  score.tracks = {track};
  return score;
}

Sheet SheetOf(const Score& score, NotationOptions options = {}) {
  options.chords = false;
  const Result<Sheet> sheet = Engrave(score, options, "the piece");
  CONTINUO_CHECK(sheet.ok());
  return *sheet;
}

// Symbols of a voice: "C4+E4/q~ r/e" is a chord of a quarter tied to what follows, and a rest;
// values as in metre_test.cc, "e3" is an eighth of a triplet, "F#4!" prints its accidental, "r/bar"
// is a rest for the whole bar, "e(" begins a beam, "e-" continues and "e)" ends it.
std::string Text(const SheetVoice& voice, bool beams = false) {
  constexpr std::string_view kNames = "Bwhqestxy";
  std::string text;
  for (const Symbol& symbol : voice.symbols) {
    text += text.empty() ? "" : " ";
    std::string heads;
    for (const SheetNote& note : symbol.notes) {
      heads += heads.empty() ? "" : "+";
      heads += note.name.step;
      heads += note.name.alter > 0 ? "#" : note.name.alter < 0 ? "b" : "";
      heads += std::to_string(note.name.octave) + (note.accidental ? "!" : "");
      heads += note.tied_to_next ? "~" : "";
    }
    text += heads.empty() ? "r" : heads;
    text += "/";
    if (symbol.whole_bar) {
      text += "bar";
      continue;
    }
    text += kNames[static_cast<size_t>(symbol.value.log2 + 1)];
    text += symbol.value.dots > 0 ? "." : "";
    text += symbol.tuplet.actual > 0 ? std::to_string(symbol.tuplet.actual) : "";
    if (beams) {
      text += std::string_view(" (-)><")[static_cast<size_t>(symbol.beams[0])];
    }
  }
  return text;
}

// The voices of one staff, bar by bar, " | " between bars and " & " between voices.
std::string Staff(const Sheet& sheet, uint8_t staff, bool beams = false) {
  std::string text;
  for (const auto& bar : sheet.parts.at(0).bars) {
    text += text.empty() ? "" : " | ";
    bool first = true;
    for (const SheetVoice& voice : bar) {
      if (voice.staff == staff) {
        text += first ? "" : " & ";
        text += Text(voice, beams);
        first = false;
      }
    }
  }
  return text;
}

TEST(EngraveTest, TiesNotesOverBarLinesAndBeats) {
  const Sheet sheet = SheetOf(Piece({{0, 3.5, 72}, {3.5, 5, 74}, {5, 8, 76}}));
  EXPECT_EQ(Staff(sheet, 0), "C5~/h C5/q. D5~/e | D5/q E5/h.");
  EXPECT_EQ(Staff(sheet, 1), "r/bar | r/bar");
}

TEST(EngraveTest, DividesAPianoBetweenHands) {
  const Sheet sheet = SheetOf(Piece({{0, 4, 48}, {0, 4, 52}, {0, 2, 67}, {2, 4, 72}}));
  EXPECT_EQ(Staff(sheet, 0), "G4/h C5/h");
  EXPECT_EQ(Staff(sheet, 1), "C3+E3/w");
}

TEST(EngraveTest, HoldsALongNoteBelowAMelodyInASecondVoice) {
  const Sheet sheet = SheetOf(Piece({{0, 4, 64}, {0, 1, 72}, {1, 2, 74}, {2, 3, 76}, {3, 4, 77}}));
  EXPECT_EQ(Staff(sheet, 0), "C5/q D5/q E5/q F5/q & E4/w");
}

TEST(EngraveTest, FillsTheSecondVoiceWithRests) {
  const Sheet sheet = SheetOf(Piece({{0, 4, 76}, {1, 2, 64}, {2, 3, 65}, {4, 8, 72}}));
  EXPECT_EQ(Staff(sheet, 0), "E5/w & r/q E4/q F4/q r/q | C5/w");
}

TEST(EngraveTest, ThreeLinesOnAStaffShareTwoVoicesByTies) {
  // Three notes that begin one after the other and end together, then a chord.
  const Sheet sheet = SheetOf(Piece({{0, 4, 76}, {1, 4, 72}, {2, 4, 69}}));
  const std::string staff = Staff(sheet, 0);
  EXPECT_EQ(std::count(staff.begin(), staff.end(), '&'), 1);
  EXPECT_THAT(staff, HasSubstr("~"));
}

TEST(EngraveTest, WritesTripletsOfEighthsAndQuarters) {
  const double third = 1.0 / 3;
  EXPECT_EQ(Staff(SheetOf(Piece({{0, third, 72}, {third, 2 * third, 74}, {2 * third, 1, 76}, {1, 4, 77}})), 0),
            "C5/e3 D5/e3 E5/e3 F5/h.");
  EXPECT_EQ(Staff(SheetOf(Piece({{0, 2 * third, 72}, {2 * third, 4 * third, 74}, {4 * third, 2, 76}, {2, 4, 77}})), 0),
            "C5/q3 D5/q3 E5/q3 F5/h");
  // The last third is a rest, and the note before began on the beat.
  EXPECT_EQ(Staff(SheetOf(Piece({{0, 2 * third, 72}, {1, 2, 74}, {2, 4, 76}})), 0), "C5/q3 r/e3 D5/q E5/h");
  // Triplets of sixteenths in the second half of a beat.
  EXPECT_EQ(Staff(SheetOf(Piece({{0, 0.5, 72},
                                 {0.5, 0.5 + third / 2, 74},
                                 {0.5 + third / 2, 0.5 + third, 76},
                                 {0.5 + third, 1, 77},
                                 {1, 4, 72}})),
                  0),
            "C5/e D5/s3 E5/s3 F5/s3 C5/h.");
}

TEST(EngraveTest, AHandMayPlayTripletsAgainstAnothersEighths) {
  const double third = 1.0 / 3;
  const Sheet sheet =
      SheetOf(Piece({{0, third, 72}, {third, 2 * third, 74}, {2 * third, 1, 76}, {0, 0.5, 48}, {0.5, 1, 50}}));
  EXPECT_EQ(Staff(sheet, 0), "C5/e3 D5/e3 E5/e3 r/q r/h");
  EXPECT_EQ(Staff(sheet, 1), "C3/e D3/e r/q r/h");
}

TEST(EngraveTest, WithoutTripletsNotesGoToTheBinaryGrid) {
  const double third = 1.0 / 3;
  // 1/3 is nearest to 3/8, 2/3 to 5/8.
  EXPECT_EQ(Staff(SheetOf(Piece({{0, third, 72}, {third, 2 * third, 74}, {2 * third, 1, 76}}), {.triplets = false}), 0),
            "C5/s. D5~/t D5/t E5/s. r/q r/h");
}

TEST(EngraveTest, PlayedTimesGoToTheNearestPlaces) {
  // 10 ticks early and 20 late, of 480: a 32nd is 60.
  Score score = Piece({{0, 1, 72}, {1, 2, 74}, {2, 4, 76}});
  score.tracks[0].notes[1].time -= 10;
  score.tracks[0].notes[2].time += 20;
  EXPECT_EQ(Staff(SheetOf(score), 0), "C5/q D5/q E5/h");
}

TEST(EngraveTest, AShortNoteLastsOneStep) {
  Score score = Piece({{0, 1, 72}, {1, 4, 76}});
  score.tracks[0].notes[0].duration = 3;
  EXPECT_EQ(Staff(SheetOf(score, {.smallest_note = 16}), 0), "C5/s r/s r/e E5/h.");
}

TEST(EngraveTest, APitchStruckAgainEndsThere) {
  EXPECT_EQ(Staff(SheetOf(Piece({{0, 4, 72}, {2, 3, 72}})), 0), "C5/h C5/q r/q");
  EXPECT_EQ(Staff(SheetOf(Piece({{0, 1, 72}, {0, 4, 72}})), 0), "C5/w");
}

TEST(EngraveTest, BeamsByBeats) {
  const auto eighths = [](int count) {
    std::vector<Quarters> notes;
    for (int i = 0; i < count; ++i) {
      notes.push_back({i * 0.5, (i + 1) * 0.5, 72});
    }
    return notes;
  };
  EXPECT_EQ(Staff(SheetOf(Piece(eighths(6), 6, 8)), 0, true), "C5/e( C5/e- C5/e) C5/e( C5/e- C5/e)");
  EXPECT_EQ(Staff(SheetOf(Piece(eighths(6), 3, 4)), 0, true), "C5/e( C5/e) C5/e( C5/e) C5/e( C5/e)");
  EXPECT_EQ(Staff(SheetOf(Piece(eighths(8), 4, 4)), 0, true), "C5/e( C5/e- C5/e- C5/e) C5/e( C5/e- C5/e- C5/e)");
  EXPECT_EQ(Staff(SheetOf(Piece(eighths(7), 7, 8)), 0, true), "C5/e( C5/e) C5/e( C5/e) C5/e( C5/e- C5/e)");
}

TEST(EngraveTest, AShorterNoteBesideADottedOneHasAHook) {
  const Sheet sheet = SheetOf(Piece({{0, 0.75, 72}, {0.75, 1, 74}, {1, 1.25, 76}, {1.25, 2, 77}, {2, 4, 79}}));
  const auto& symbols = sheet.parts[0].bars[0][0].symbols;
  EXPECT_EQ(symbols[0].beams[0], Beam::kBegin);
  EXPECT_EQ(symbols[1].beams[0], Beam::kEnd);
  EXPECT_EQ(symbols[1].beams[1], Beam::kBackwardHook);
  EXPECT_EQ(symbols[2].beams[1], Beam::kForwardHook);
  EXPECT_EQ(symbols[4].beams[0], Beam::kNone);
}

TEST(EngraveTest, PrintsAnAccidentalOnceABarAndTakesItBack) {
  // The key is given: with one sharp, F sharp needs none.
  Score score = Piece({{0, 1, 66}, {1, 2, 65}, {2, 3, 65}, {3, 4, 66}, {4, 5, 65}, {5, 6, 66}, {6, 8, 67}});
  score.key_signatures = {{0, 1, 0}};
  const Sheet sheet = SheetOf(score);
  std::vector<int> printed;
  for (const auto& bar : sheet.parts[0].bars) {
    for (const Symbol& symbol : bar[0].symbols) {
      for (const SheetNote& note : symbol.notes) {
        printed.push_back(note.accidental ? *note.accidental : 9);
      }
    }
  }
  const int none = 9;
  // 65 is E sharp (in G major: F natural), so letters matter; here the names are F and F sharp.
  EXPECT_THAT(printed, ElementsAre(none, 0, none, 1, 0, 1, none));
}

TEST(EngraveTest, ATieOverABarLineNeedsNoAccidental) {
  Score score = Piece({{0, 2, 72}, {2, 5, 66}, {5, 6, 66}, {6, 8, 67}});
  EXPECT_EQ(Staff(SheetOf(score), 0), "C5/h F#4!~/h | F#4/q F#4!/q G4/h");
}

TEST(EngraveTest, AFirstShortBarIsAPickup) {
  Score score = Piece({{0, 1, 67}, {1, 4, 72}, {4, 7, 74}});
  score.time_signatures = {{0, 1, 4}, {480, 3, 4}};
  const Sheet sheet = SheetOf(score);
  EXPECT_EQ(Staff(sheet, 0), "G4/q | C5/h. | D5/h.");
  EXPECT_EQ(sheet.bars[0].number, 0);
  EXPECT_EQ(sheet.bars[1].number, 1);
  ASSERT_TRUE(sheet.bars[0].signature);
  EXPECT_EQ(sheet.bars[0].signature->numerator, 3);
  EXPECT_FALSE(sheet.bars[1].signature);
}

TEST(EngraveTest, ASignatureCutsTheBarInWhichItStands) {
  Score score = Piece({{0, 4, 67}, {4, 6, 72}, {6, 9, 74}});
  score.time_signatures = {{0, 4, 4}, {6 * 480, 3, 4}};
  const Sheet sheet = SheetOf(score);
  EXPECT_EQ(Staff(sheet, 0), "G4/w | C5/h | D5/h.");
  EXPECT_TRUE(sheet.bars[1].shortened);
  EXPECT_EQ(sheet.bars[2].signature->numerator, 3);
}

TEST(EngraveTest, EstimatesTheKeyUnlessTheFileHasOne) {
  std::vector<Quarters> d_major;
  const std::vector<int> scale = {62, 64, 66, 67, 69, 71, 73, 74, 69, 66, 62, 62};
  for (size_t i = 0; i < scale.size(); ++i) {
    d_major.push_back({static_cast<double>(i), static_cast<double>(i + 1), scale[i]});
  }
  Score score = Piece(d_major);
  score.key_signatures = {{0, 0, 0}};  // what programs write that know no key
  EXPECT_EQ(SheetOf(score).bars[0].key_signature, 2);
  score.key_signatures = {{0, -3, 1}};
  EXPECT_EQ(SheetOf(score).bars[0].key_signature, -3);
}

TEST(EngraveTest, EstimatedKeysHaveAtMostSixSharpsOrFlats) {
  const std::vector<int> major = {0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0, 0};
  const std::vector<int> minor = {0, 2, 3, 5, 7, 8, 11, 12, 7, 3, 0, 0};
  // From C up: D flat rather than C sharp major, E flat rather than D sharp minor.
  const std::vector<int> major_keys = {0, -5, 2, -3, 4, -1, 6, 1, -4, 3, -2, 5};
  const std::vector<int> minor_keys = {-3, 4, -1, -6, 1, -4, 3, -2, 5, 0, -5, 2};
  for (size_t tonic = 0; tonic < 12; ++tonic) {
    for (const bool is_minor : {false, true}) {
      std::vector<Quarters> notes;
      for (size_t i = 0; i < major.size(); ++i) {
        const int pitch = 60 + static_cast<int>(tonic) + (is_minor ? minor : major)[i];
        notes.push_back({static_cast<double>(i), static_cast<double>(i + 1), pitch});
      }
      Score score = Piece(notes);
      score.key_signatures.clear();
      EXPECT_EQ(SheetOf(score).bars[0].key_signature, (is_minor ? minor_keys : major_keys)[tonic]) << tonic;
    }
  }
}

TEST(EngraveTest, TwoPianoTracksOfOneNameAreHands) {
  Score score = Piece({{0, 4, 60}});
  score.tracks.push_back(score.tracks[0]);
  score.tracks[1].notes[0].pitch = 64;
  const Sheet sheet = SheetOf(score);
  ASSERT_EQ(sheet.parts.size(), 1u);
  EXPECT_EQ(Staff(sheet, 0), "E4/w");
  EXPECT_EQ(Staff(sheet, 1), "C4/w");
}

TEST(EngraveTest, OtherInstrumentsHaveOneStaffAndDrumsHits) {
  Score score = Piece({{0, 4, 40}});
  score.tracks[0].program = 33;
  score.tracks.push_back(Piece({{0, 0.1, 36}, {1, 1.1, 38}, {1, 4, 42}, {2, 4, 36}}).tracks[0]);
  score.tracks[1].is_drum = true;
  const Sheet sheet = SheetOf(score);
  ASSERT_EQ(sheet.parts.size(), 2u);
  EXPECT_EQ(sheet.parts[0].staves, 1);
  EXPECT_EQ(sheet.parts[0].clefs[0], 'F');
  EXPECT_EQ(sheet.parts[0].name, "Program 34");
  EXPECT_EQ(sheet.parts[1].clefs[0], 'P');
  EXPECT_THAT(sheet.parts[1].drum_keys, ElementsAre(36, 38, 42));
  EXPECT_EQ(Text(sheet.parts[1].bars[0][0]), "F4/q C5+G5/q F4/q r/q");
}

TEST(EngraveTest, NotesBelowMusicXmlsOctavesAreWrittenHigherInTheirPart) {
  const Sheet low = SheetOf(Piece({{0, 2, 5}, {2, 4, 60}}));
  EXPECT_EQ(low.parts[0].octaves_up, 1);
  EXPECT_EQ(Staff(low, 1), "F0/h r/h");
  EXPECT_EQ(Staff(low, 0), "r/h C5/h");
  EXPECT_EQ(SheetOf(Piece({{0, 2, 12}, {2, 4, 127}})).parts[0].octaves_up, 0);
  // Both ends do not fit.
  EXPECT_EQ(SheetOf(Piece({{0, 2, 0}, {2, 4, 127}})).parts[0].octaves_up, 0);
}

TEST(EngraveTest, ChordsComeFromMarkersOrFromTheNotes) {
  Score score = Piece({{0, 4, 60}, {0, 4, 64}, {0, 4, 67}, {4, 8, 57}, {4, 8, 60}, {4, 8, 65}});
  const Result<Sheet> heard = Engrave(score, {}, "the piece");
  ASSERT_TRUE(heard.ok());
  ASSERT_EQ(heard->chords.size(), 2u);
  EXPECT_EQ(heard->chords[0].chord.Text(), "C_M");
  EXPECT_EQ(heard->chords[1].chord.Text(), "F_M");
  EXPECT_EQ(heard->chords[1].bar, 1u);
  score.markers = {{0, "N_N_N"}, {960, "A_m7_C"}, {1920, "N_N_N"}};
  const Result<Sheet> marked = Engrave(score, {}, "the piece");
  ASSERT_TRUE(marked.ok());
  ASSERT_EQ(marked->chords.size(), 2u);  // no chord at the start says nothing
  EXPECT_EQ(marked->chords[0].at, 2 * kUnitsPerQuarter);
  EXPECT_TRUE(marked->chords[1].chord.none());
}

TEST(EngraveTest, TemposAreShownWhereTheyChangeByATenthAtABarLine) {
  Score score = Piece({{0, 12, 60}});
  score.tempos = {{0, 500000}, {480, 600000}, {1920, 510000}, {3840, 600000}};
  const Sheet sheet = SheetOf(score);
  ASSERT_EQ(sheet.tempos.size(), 4u);
  EXPECT_EQ(sheet.tempos[1].qpm, 100);
  EXPECT_EQ(sheet.tempos[1].at, kUnitsPerQuarter);
  EXPECT_TRUE(sheet.tempos[0].shown);
  EXPECT_FALSE(sheet.tempos[1].shown);
  EXPECT_FALSE(sheet.tempos[2].shown);
  EXPECT_TRUE(sheet.tempos[3].shown);
}

TEST(EngraveTest, DynamicsFollowVelocitiesWithSomeInertia) {
  Score score = Piece({{0, 4, 60}, {4, 8, 60}, {8, 12, 60}});
  score.tracks[0].notes[0].velocity = 80;  // mf
  score.tracks[0].notes[1].velocity = 89;  // nearer to f, but not by much
  score.tracks[0].notes[2].velocity = 110;
  const Sheet sheet = SheetOf(score, {.dynamics = true});
  ASSERT_EQ(sheet.dynamics.size(), 2u);
  EXPECT_EQ(kDynamics[sheet.dynamics[0].level], "mf");
  EXPECT_EQ(kDynamics[sheet.dynamics[1].level], "ff");
  EXPECT_EQ(sheet.dynamics[1].bar, 2u);
}

TEST(EngraveTest, RefusesWhatCannotBeWritten) {
  const auto error = [](const Score& score) {
    const Result<Sheet> sheet = Engrave(score, {}, "song.mid");
    return sheet.ok() ? std::string() : sheet.error().ToString();
  };
  EXPECT_THAT(error(Score{}), HasSubstr("song.mid: has no notes"));
  EXPECT_THAT(error(Piece({{0, 1, 60}}, 4, 3)), HasSubstr("the time signature 4/3 at tick 0"));
  EXPECT_THAT(error(Piece({{0, 1, 60}}, 4, 256)), HasSubstr("4/256"));
  EXPECT_THAT(error(Piece({{0, 1e5, 60}})), HasSubstr("has 25000 bars, expected at most 20000"));
  Score negative = Piece({{0, 1, 60}});
  negative.tracks[0].notes[0].time = -1;
  EXPECT_THAT(error(negative), HasSubstr("no negative times"));
  // 128 notes through 19000 bars.
  std::vector<Quarters> notes;
  for (int pitch = 0; pitch < 128; ++pitch) {
    notes.push_back({0, 76000, pitch});
  }
  EXPECT_THAT(error(Piece(notes)), HasSubstr("more than 2000000 note heads"));
}

TEST(EngraveTest, MusicAtTheEndOfTimeIsRefusedNotOverrun) {
  Score score = Piece({{0, 1, 60}});
  score.ticks_per_quarter = 32767;
  score.tracks[0].notes[0] = {2147483647, 2147483647, 60, 64};
  EXPECT_TRUE(Engrave(score, {}, "the piece").ok());
  score.ticks_per_quarter = 1;
  EXPECT_FALSE(Engrave(score, {}, "the piece").ok());
}

}  // namespace
}  // namespace continuo
