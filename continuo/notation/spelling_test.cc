#include "continuo/notation/spelling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace continuo {
namespace {

// "C4 F#4 Bb3".
std::string Names(const std::vector<uint8_t>& keys, Fifths tonic) {
  std::string text;
  for (const SpelledPitch& name : SpellPitches(keys, tonic)) {
    text += text.empty() ? "" : " ";
    text += name.step;
    text += std::string(static_cast<size_t>(std::abs(name.alter)), name.alter > 0 ? '#' : 'b');
    text += std::to_string(name.octave);
  }
  return text;
}

TEST(SpellingTest, PlacesOnTheLineOfFifthsHaveLettersAndAlterations) {
  EXPECT_EQ(StepOf(0), 'C');
  EXPECT_EQ(StepOf(1), 'G');
  EXPECT_EQ(StepOf(-1), 'F');
  EXPECT_EQ(AlterOf(5), 0);    // B
  EXPECT_EQ(AlterOf(6), 1);    // F sharp
  EXPECT_EQ(AlterOf(-2), -1);  // B flat
  EXPECT_EQ(StepOf(-8), 'F');
  EXPECT_EQ(AlterOf(-8), -1);  // F flat
  EXPECT_EQ(AlterOf(13), 2);   // F double sharp
}

TEST(SpellingTest, OctavesGoByTheLetter) {
  EXPECT_EQ(SpellAt(12, 60), (SpelledPitch{'B', 1, 3}));   // B sharp 3
  EXPECT_EQ(SpellAt(-7, 59), (SpelledPitch{'C', -1, 4}));  // C flat 4
  EXPECT_EQ(SpellAt(0, 60), (SpelledPitch{'C', 0, 4}));
  for (int key = 0; key < 128; ++key) {
    for (Fifths tonic = -7; tonic <= 10; ++tonic) {
      EXPECT_EQ(SpellAt(PlaceNear(tonic, key % 12), key).key(), key);
    }
  }
}

TEST(SpellingTest, KeySignaturesAlterLettersInTheirOrder) {
  EXPECT_EQ(AlterInKey('F', 1), 1);
  EXPECT_EQ(AlterInKey('C', 1), 0);
  EXPECT_EQ(AlterInKey('C', 2), 1);
  EXPECT_EQ(AlterInKey('B', -1), -1);
  EXPECT_EQ(AlterInKey('E', -1), 0);
  EXPECT_EQ(AlterInKey('F', -6), 0);
  EXPECT_EQ(AlterInKey('F', -7), -1);
  EXPECT_EQ(AlterInKey('B', 7), 1);
  EXPECT_EQ(AlterInKey('B', 6), 0);
}

TEST(SpellingTest, ScalesHaveSevenLetters) {
  EXPECT_EQ(Names({61, 63, 65, 66, 68, 70, 72, 73}, -5), "Db4 Eb4 F4 Gb4 Ab4 Bb4 C5 Db5");
  EXPECT_EQ(Names({66, 68, 70, 71, 73, 75, 77, 78}, 6), "F#4 G#4 A#4 B4 C#5 D#5 E#5 F#5");
}

TEST(SpellingTest, ALeadingNoteIsARaisedSeventh) {
  EXPECT_EQ(Names({57, 60, 64, 68, 69, 71, 68, 69}, 3), "A3 C4 E4 G#4 A4 B4 G#4 A4");  // A minor
}

TEST(SpellingTest, AForeignPassageIsSpelledByWhatIsAroundIt) {
  // An E flat major triad, again and again, in a piece in C major.
  std::vector<uint8_t> keys;
  for (int i = 0; i < 20; ++i) {
    keys.insert(keys.end(), {63, 67, 70});
  }
  EXPECT_EQ(Names({keys.begin(), keys.begin() + 3}, 0), "Eb4 G4 Bb4");
  // D sharp and F sharp around B are the notes of B major, in E minor as anywhere.
  EXPECT_EQ(Names({59, 63, 66, 71, 63, 66, 64, 67, 71}, 4), "B3 D#4 F#4 B4 D#4 F#4 E4 G4 B4");
}

}  // namespace
}  // namespace continuo
