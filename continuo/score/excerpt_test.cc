#include "continuo/score/excerpt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Four bars of 4/4: a note on each beat, one across the line between bars 1 and 2.
Score Song() {
  Score score;
  score.tempos = {{0, 600000}, {2500, 400000}};
  score.time_signatures = {{0, 4, 4}};
  score.key_signatures = {{0, 2, 0}};
  score.markers = {{0, "a"}, {3840, "b"}};
  Track& track = score.tracks.emplace_back();
  track.name = "piano";
  track.program = 5;
  for (Tick beat = 0; beat < 16; ++beat) {
    track.notes.push_back({beat * 480, 240, static_cast<uint8_t>(40 + beat), 64});
  }
  track.notes.insert(track.notes.begin() + 8, {3600, 1000, 90, 64});
  track.controls = {{0, 7, 100}, {100, 7, 90}, {1900, 64, 127}, {2000, 64, 0}, {3700, 64, 127}, {4000, 64, 0}};
  track.pedals = {{1900, 100}, {3700, 300}};
  track.pitch_bends = {{50, 10}};
  track.lyrics = {{1920, "la"}};
  score.tracks.emplace_back().is_drum = true;
  return score;
}

TEST(Excerpt, BeginsWithWhatIsInForce) {
  const Score part = ExcerptBars(Song(), 1, 2);
  EXPECT_THAT(part.tempos, ElementsAre(Tempo{0, 600000}, Tempo{580, 400000}));
  EXPECT_THAT(part.time_signatures, ElementsAre(TimeSignature{0, 4, 4}));
  EXPECT_THAT(part.key_signatures, ElementsAre(KeySignature{0, 2, 0}));
  EXPECT_THAT(part.markers, IsEmpty());
  ASSERT_EQ(part.tracks.size(), 2u);
  const Track& track = part.tracks[0];
  EXPECT_EQ(track.name, "piano");
  EXPECT_EQ(track.program, 5);
  EXPECT_THAT(track.pitch_bends, ElementsAre(PitchBend{0, 10}));
  EXPECT_THAT(track.lyrics, ElementsAre(TextEvent{0, "la"}));
  EXPECT_TRUE(part.tracks[1].is_drum);
}

TEST(Excerpt, BeginsWithTheChordThatAMarkerNamed) {
  Score score = Song();
  score.markers = {{0, "C_M_C"}, {480, "A_m7_A"}, {480, "Verse"}, {960, "F_M_F"}};
  EXPECT_THAT(Excerpt(score, 700, 961).markers, ElementsAre(TextEvent{0, "A_m7_A"}, TextEvent{260, "F_M_F"}));
  EXPECT_THAT(Excerpt(score, 480, 500).markers, ElementsAre(TextEvent{0, "A_m7_A"}, TextEvent{0, "Verse"}));
}

TEST(Excerpt, CutsWhatSoundsAcrossItsEnd) {
  const Track track = ExcerptBars(Song(), 1, 2).tracks[0];
  ASSERT_EQ(track.notes.size(), 5u);
  EXPECT_EQ(track.notes[0], (Note{0, 240, 44, 64}));
  EXPECT_EQ(track.notes[4], (Note{1680, 240, 90, 64}));
  EXPECT_THAT(track.pedals, ElementsAre(Pedal{0, 80}, Pedal{1780, 140}));
  EXPECT_THAT(track.controls, ElementsAre(ControlChange{0, 7, 90}, ControlChange{0, 64, 127}, ControlChange{80, 64, 0},
                                          ControlChange{1780, 64, 127}, ControlChange{1920, 64, 0}));
  const Track whole = ExcerptBars(Song(), 1, 2, true, false).tracks[0];
  EXPECT_EQ(whole.notes[4], (Note{1680, 1000, 90, 64}));
  EXPECT_THAT(whole.pedals, ElementsAre(Pedal{0, 80}, Pedal{1780, 300}));
  EXPECT_EQ(whole.controls.size(), 4u);
}

TEST(Excerpt, LeavesOutNotesThatBeganEarlier) {
  const Score part = ExcerptBars(Song(), 2, 4);
  EXPECT_EQ(part.tracks[0].notes.size(), 8u);
  EXPECT_EQ(part.tracks[0].notes[0].time, 0);
  EXPECT_THAT(part.tempos, ElementsAre(Tempo{0, 400000}));
  EXPECT_THAT(part.markers, ElementsAre(TextEvent{0, "b"}));
}

TEST(Excerpt, OfNothingIsEmpty) {
  const Score part = Excerpt(Song(), 100, 100);
  EXPECT_THAT(part.tracks[0].notes, IsEmpty());
  EXPECT_THAT(part.tempos, ElementsAre(Tempo{0, 600000}));
}

}  // namespace
}  // namespace continuo
