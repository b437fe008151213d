#include "continuo/notation/metre.h"

#include <gtest/gtest.h>

#include <string>

namespace continuo {
namespace {

// "h. ~ q": the symbols of a note, tied; B is a breve, then w h q e s (sixteenth) t x y (128th).
std::string Text(const std::vector<NotatedPart>& parts) {
  constexpr std::string_view kNames = "Bwhqestxy";
  std::string text;
  Unit at = parts.empty() ? 0 : parts.front().from;
  for (const NotatedPart& part : parts) {
    EXPECT_EQ(part.from, at);
    EXPECT_EQ(part.to - part.from, part.value.length());
    at = part.to;
    text += text.empty() ? "" : " ";
    text += kNames[static_cast<size_t>(part.value.log2 + 1)];
    text += part.value.dots == 1 ? "." : "";
  }
  return text;
}

std::string Note(const Metre& metre, double from, double to) {
  return Text(metre.SplitNote(static_cast<Unit>(from * kUnitsPerQuarter), static_cast<Unit>(to * kUnitsPerQuarter)));
}
std::string Rest(const Metre& metre, double from, double to) {
  return Text(metre.SplitRest(static_cast<Unit>(from * kUnitsPerQuarter), static_cast<Unit>(to * kUnitsPerQuarter)));
}

TEST(MetreTest, CommonTimeShowsItsMiddle) {
  const Metre metre(4, 4);
  EXPECT_EQ(Note(metre, 0, 4), "w");
  EXPECT_EQ(Note(metre, 0, 3), "h.");
  EXPECT_EQ(Note(metre, 1, 4), "h.");
  EXPECT_EQ(Note(metre, 1, 3), "h");      // the one syncopation that may hide it
  EXPECT_EQ(Note(metre, 1, 2.5), "q e");  // quarter tied to eighth
  EXPECT_EQ(Note(metre, 1.5, 2.5), "e e");
  EXPECT_EQ(Note(metre, 1.5, 3), "e q");
  EXPECT_EQ(Note(metre, 0.5, 3.5), "q. q.");
  EXPECT_EQ(Note(metre, 0, 2.5), "h e");
  EXPECT_EQ(Note(metre, 0, 3.5), "h q.");
}

TEST(MetreTest, NotesWithinAHalfBarMayBeDottedOrSyncopated) {
  const Metre metre(4, 4);
  EXPECT_EQ(Note(metre, 0, 1.5), "q.");
  EXPECT_EQ(Note(metre, 0.5, 1.5), "q");
  EXPECT_EQ(Note(metre, 0.5, 2), "q.");
  EXPECT_EQ(Note(metre, 0.25, 0.75), "e");
  EXPECT_EQ(Note(metre, 0.25, 1), "e.");
  EXPECT_EQ(Note(metre, 0.75, 1.5), "s e");
  EXPECT_EQ(Note(metre, 0, 1.25), "q s");
  EXPECT_EQ(Note(metre, 0, 1.75), "q e.");
  EXPECT_EQ(Note(metre, 0.125, 0.25), "t");
  EXPECT_EQ(Note(metre, 0.125, 1), "s. e");
}

TEST(MetreTest, RestsShowEachBeat) {
  const Metre common(4, 4);
  EXPECT_EQ(Rest(common, 0, 2), "h");
  EXPECT_EQ(Rest(common, 2, 4), "h");
  EXPECT_EQ(Rest(common, 1, 4), "q h");
  EXPECT_EQ(Rest(common, 0, 3), "h q");
  EXPECT_EQ(Rest(common, 1, 3), "q q");
  EXPECT_EQ(Rest(common, 0.5, 2), "e q");
  EXPECT_EQ(Rest(common, 0.25, 1), "s e");
  EXPECT_EQ(Rest(Metre(3, 4), 1, 3), "q q");
  EXPECT_EQ(Rest(Metre(6, 8), 0.5, 1.5), "e e");
  EXPECT_EQ(Rest(Metre(6, 8), 0, 1), "q");
  EXPECT_EQ(Rest(Metre(6, 8), 0, 1.5), "q.");
}

TEST(MetreTest, ThreeQuarters) {
  const Metre metre(3, 4);
  EXPECT_EQ(Note(metre, 0, 3), "h.");
  EXPECT_EQ(Note(metre, 1, 3), "h");
  EXPECT_EQ(Note(metre, 0, 2.5), "h e");
  EXPECT_EQ(Note(metre, 0.5, 2.5), "e q.");
}

TEST(MetreTest, CompoundBeatsAreNotHidden) {
  const Metre metre(6, 8);
  EXPECT_EQ(Note(metre, 0, 3), "h.");
  EXPECT_EQ(Note(metre, 0, 2), "q. e");
  EXPECT_EQ(Note(metre, 1, 2), "e e");
  EXPECT_EQ(Note(metre, 1, 3), "e q.");
  EXPECT_EQ(Note(metre, 0, 2.5), "q. q");
  EXPECT_EQ(Note(metre, 0.5, 1.5), "q");
  EXPECT_EQ(Note(Metre(9, 8), 0, 4.5), "h. q.");
  EXPECT_EQ(Note(Metre(12, 8), 0, 6), "w.");
  EXPECT_EQ(Note(Metre(12, 8), 1.5, 4.5), "q. q.");
}

TEST(MetreTest, OddMetres) {
  EXPECT_EQ(Note(Metre(5, 4), 0, 5), "h. h");
  EXPECT_EQ(Note(Metre(7, 8), 0, 3.5), "h q.");
  EXPECT_EQ(Note(Metre(5, 8), 0, 2.5), "q. q");
  EXPECT_EQ(Note(Metre(2, 2), 0, 4), "w");
  EXPECT_EQ(Note(Metre(2, 2), 1, 3), "h");
  EXPECT_EQ(Note(Metre(4, 1), 0, 16), "B B");
  EXPECT_EQ(Note(Metre(1, 128), 0, 1.0 / 32), "y");
}

TEST(MetreTest, EveryStretchOfEveryMetreIsWrittenWhole) {
  for (const int32_t denominator : {1, 2, 4, 8, 16, 32}) {
    for (int32_t numerator = 1; numerator <= 17; ++numerator) {
      const Metre metre(numerator, denominator);
      const Unit step = std::max<Unit>(12, metre.length() / 40 / 12 * 12);
      for (Unit from = 0; from < metre.length(); from += step) {
        for (Unit to = from + step; to <= metre.length(); to += step) {
          for (const bool rest : {false, true}) {
            const auto parts = rest ? metre.SplitRest(from, to) : metre.SplitNote(from, to);
            ASSERT_FALSE(parts.empty());
            Text(parts);  // checks that they adjoin
            EXPECT_EQ(parts.front().from, from);
            EXPECT_EQ(parts.back().to, to);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace continuo
