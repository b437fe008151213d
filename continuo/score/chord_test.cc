#include "continuo/score/chord.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace continuo {
namespace {

using ::testing::ElementsAre;

std::string Read(std::string_view marker) {
  const auto chord = ParseChordMarker(marker);
  return chord ? chord->Text() : "no chord";
}

TEST(Chord, ReadsMarkersWithAndWithoutABass) {
  EXPECT_EQ(Read("A_M7_E"), "A_M7");
  EXPECT_EQ(Read("F#_/o7_F#"), "F#_/o7");
  EXPECT_EQ(Read("C_7"), "C_7");
  EXPECT_EQ(Read("Bb_sus4_F"), "A#_sus4");
  EXPECT_EQ(Read("Cb_m"), "B_m");
  EXPECT_EQ(Read("E#_+_A"), "F_+");
  EXPECT_EQ(Read("N_N_N"), "N");
  EXPECT_EQ(Read("N"), "N");
}

TEST(Chord, TakesOtherTextForNoChord) {
  for (const char* text : {"", "_", "__", "A", "A_", "A__", "A_x", "A_M_", "A_M_x", "A_M7_E_E", "H_M", "a_m", "A##_m",
                           "Verse_M", "N_M", "N_", "NN", "global_bpm_120", "A_M7_N"}) {
    EXPECT_EQ(Read(text), "no chord") << text;
  }
}

TEST(Chord, EveryLabelHasANumberAndATextOfItsOwn) {
  for (size_t i = 0; i < kChords; ++i) {
    const Chord chord = Chord::FromIndex(i);
    EXPECT_EQ(chord.index(), i);
    EXPECT_EQ(ParseChordMarker(chord.Text()), chord) << chord.Text();
  }
}

TEST(Chord, MarkersAreChangesInTheOrderOfTime) {
  Score score;
  score.markers = {{0, "global_bpm_90"}, {480, "F_M_F"}, {0, "C_M_C"}, {240, "C_M_E"}, {480, "G_7_G"}, {960, "G_7_B"}};
  EXPECT_THAT(ChordsOfMarkers(score), ElementsAre(ChordChange{0, {0, 0}}, ChordChange{480, {7, 2}}));
}

}  // namespace
}  // namespace continuo
