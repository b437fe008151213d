#include "continuo/app/piano_roll.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr size_t kMargin = 5;

Score WithNotes(const std::vector<Note>& notes, bool drums = false) {
  Score score;
  score.tracks.emplace_back().notes = notes;
  score.tracks[0].is_drum = drums;
  return score;
}

TEST(PianoRoll, DrawsTimeToTheRightAndPitchUpwards) {
  // Two bars in 16 characters: the bars' halves are 8 dots each.
  const Score score = WithNotes({{0, 960, 64, 80}, {960, 960, 63, 80}, {1920, 960, 61, 80}, {2880, 960, 64, 80}});
  EXPECT_THAT(DrawPianoRoll(score, kMargin + 16, 8), ElementsAre("E4   ⠉⠉⠉⠉⠒⠒⠒⠒⣀⣀⣀⣀⠉⠉⠉⠉", "     1       2"));
}

TEST(PianoRoll, EveryNoteIsSeenHoweverShortOrMany) {
  std::vector<Note> notes = {{0, 0, 0, 80}, {480 * 4 * 1000, 1, 127, 80}};
  const std::vector<std::string> lines = DrawPianoRoll(WithNotes(notes), 80, 10);
  ASSERT_EQ(lines.size(), 11U);
  EXPECT_THAT(lines[0], StartsWith("G9"));
  EXPECT_THAT(lines[0], EndsWith("⠈"));
  EXPECT_THAT(lines[9].substr(kMargin), StartsWith("⡀"));
}

TEST(PianoRoll, LeavesOutDrumsUnlessThereIsNothingElse) {
  Score score = WithNotes({{0, 480, 36, 80}}, true);
  EXPECT_THAT(DrawPianoRoll(score, 40, 4)[0], StartsWith("C2"));
  score.tracks.emplace_back().notes = {{0, 480, 60, 80}};
  const std::vector<std::string> lines = DrawPianoRoll(score, 40, 4);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[0], StartsWith("C4"));
}

TEST(PianoRoll, OfNothingIsEmptyAndOfTheLastTickFits) {
  EXPECT_THAT(DrawPianoRoll(Score(), 40, 4), IsEmpty());
  const Tick last = std::numeric_limits<Tick>::max();
  const std::vector<std::string> lines = DrawPianoRoll(WithNotes({{last, last, 60, 80}}), 40, 4);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_LE(lines[1].size(), 40U);
}

TEST(PianoRoll, NamesPitches) {
  EXPECT_EQ(PitchName(60), "C4");
  EXPECT_EQ(PitchName(22), "A#0");
  EXPECT_EQ(PitchName(0), "C-1");
}

}  // namespace
}  // namespace continuo
