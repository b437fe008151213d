#include "continuo/compose/music_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace continuo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string ErrorOf(std::string_view name, std::string_view text) {
  MusicLimits limits;
  const Status status = AddLimit(name, text, limits);
  EXPECT_TRUE(limits.empty());
  return status.ok() ? "" : status.error().ToString();
}

uint16_t Classes(std::initializer_list<int> classes) {
  uint16_t bits = 0;
  for (const int pitch_class : classes) {
    bits = static_cast<uint16_t>(bits | 1U << pitch_class);
  }
  return bits;
}

uint16_t Scale(std::string_view text) {
  MusicLimits limits;
  const Status status = AddLimit("scale", text, limits);
  EXPECT_TRUE(status.ok()) << status.error().ToString();
  return limits.scale.empty() ? uint16_t{0} : limits.scale[0].pitch_classes;
}

TEST(MusicLimits, ScalesByNameAndByPitchClass) {
  EXPECT_EQ(Scale("C major"), Classes({0, 2, 4, 5, 7, 9, 11}));
  EXPECT_EQ(Scale("A minor"), Scale("C major"));
  EXPECT_EQ(Scale("a Minor"), Scale("A minor"));
  EXPECT_EQ(Scale("D dorian"), Scale("C major"));
  EXPECT_EQ(Scale("E phrygian"), Scale("C major"));
  EXPECT_EQ(Scale("F lydian"), Scale("C major"));
  EXPECT_EQ(Scale("G mixolydian"), Scale("C major"));
  EXPECT_EQ(Scale("B locrian"), Scale("C major"));
  EXPECT_EQ(Scale("A harmonic minor"), Classes({9, 11, 0, 2, 4, 5, 8}));
  EXPECT_EQ(Scale("A melodic minor"), Classes({9, 11, 0, 2, 4, 6, 8}));
  EXPECT_EQ(Scale("Bb major"), Classes({10, 0, 2, 3, 5, 7, 9}));
  EXPECT_EQ(Scale("F# minor pentatonic"), Classes({6, 9, 11, 1, 4}));
  EXPECT_EQ(Scale("C blues"), Classes({0, 3, 5, 6, 7, 10}));
  EXPECT_EQ(Scale("B chromatic"), 0xFFF);
  EXPECT_EQ(Scale("C D E G A"), Scale("C major pentatonic"));
  EXPECT_EQ(Scale("0, 2, 4, 7, 9"), Scale("C major pentatonic"));
  EXPECT_EQ(Scale("Cb"), Classes({11}));
  EXPECT_EQ(Scale("B#"), Classes({0}));
}

TEST(MusicLimits, BarsAfterTheValue) {
  MusicLimits limits;
  ASSERT_TRUE(AddLimit("scale", "A minor@9-16", limits).ok());
  ASSERT_TRUE(AddLimit("range", "C3:Bb5@9", limits).ok());
  ASSERT_TRUE(AddLimit("grid", "8 @ 17-", limits).ok());
  ASSERT_TRUE(AddLimit("max_notes", "7", limits).ok());
  ASSERT_TRUE(AddLimit("range", "48:84", limits).ok());
  EXPECT_EQ(limits.scale[0].bars.first, 8U);
  EXPECT_EQ(limits.scale[0].bars.last, 16U);
  EXPECT_EQ(limits.range[0].low, 48);
  EXPECT_EQ(limits.range[0].high, 82);
  EXPECT_EQ(limits.range[0].bars.first, 8U);
  EXPECT_EQ(limits.range[0].bars.last, 9U);
  EXPECT_EQ(limits.range[1].low, 48);
  EXPECT_EQ(limits.range[1].high, 84);
  EXPECT_EQ(limits.grid[0].bars.first, 16U);
  EXPECT_EQ(limits.grid[0].bars.last, SIZE_MAX);
  EXPECT_EQ(limits.max_notes[0].value, 7);
  EXPECT_EQ(limits.max_notes[0].bars.first, 0U);
}

TEST(MusicLimits, ErrorsNameTheValueAndWhatIsExpected) {
  EXPECT_THAT(ErrorOf("scale", "A miner"), AllOf(HasSubstr("'A miner'"), HasSubstr("C D E G A"), HasSubstr("dorian")));
  EXPECT_THAT(ErrorOf("scale", "H minor"), HasSubstr("'H minor'"));
  EXPECT_THAT(ErrorOf("scale", "0 12"), HasSubstr("'0 12'"));
  EXPECT_THAT(ErrorOf("scale", ""), HasSubstr("scale is ''"));
  EXPECT_THAT(ErrorOf("scale", "C major@0-4"), AllOf(HasSubstr("'0-4'"), HasSubstr("9-16")));
  EXPECT_THAT(ErrorOf("scale", "C major@4-2"), HasSubstr("'4-2'"));
  EXPECT_THAT(ErrorOf("scale", "C major@"), HasSubstr("''"));
  EXPECT_THAT(ErrorOf("scale", "C major@1-99999999999999999999"), HasSubstr("10000"));
  EXPECT_THAT(ErrorOf("range", "C6:C3"), AllOf(HasSubstr("C6:C3"), HasSubstr("empty")));
  EXPECT_THAT(ErrorOf("range", "C3"), AllOf(HasSubstr("'C3'"), HasSubstr("C3:C6")));
  EXPECT_THAT(ErrorOf("range", "C3:C12"), HasSubstr("C12"));
  EXPECT_THAT(ErrorOf("range", "48:128"), HasSubstr("0 to 127"));
  EXPECT_THAT(ErrorOf("grid", "10"), AllOf(HasSubstr("'10'"), HasSubstr("12 (triplets")));
  EXPECT_THAT(ErrorOf("max_notes", "0"), AllOf(HasSubstr("max_notes is '0'"), HasSubstr("1 to 10000")));
  EXPECT_THAT(ErrorOf("max_polyphony", "two"), HasSubstr("'two'"));
  EXPECT_THAT(ErrorOf("tempo", "2"), HasSubstr("'tempo'"));
  EXPECT_LT(ErrorOf("scale", std::string(100000, 'x')).size(), 500U);
}

}  // namespace
}  // namespace continuo
