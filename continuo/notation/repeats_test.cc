#include "continuo/notation/repeats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace continuo {
namespace {

// Measures "a b |: c d :| 1[ e :| 2[ f ] g": the letters in the order of playing. "1[" begins an
// ending for the measures up to "]" or the next ending; ":|3" is played three times.
std::string Played(const std::string& text) {
  std::vector<MeasureRepeat> measures;
  std::string letters;
  bool forward = false;
  std::vector<int32_t> ending;
  for (size_t i = 0; i < text.size(); ++i) {
    const std::string two = text.substr(i, 2);
    if (two == "|:") {
      forward = true;
      ++i;
    } else if (two == ":|") {
      ++i;
      const bool counted =
          i + 1 < text.size() && text[i + 1] >= '3' && text[i + 1] <= '9' && text.substr(i + 2, 1) != "[";
      measures.back().backward = counted ? text[i + 1] - '0' : 2;
      i += counted ? 1 : 0;
    } else if (text[i] == '[') {
      // The digits before it.
      ending.clear();
      for (size_t k = i; k-- > 0 && text[k] >= '1' && text[k] <= '9';) {
        ending.push_back(text[k] - '0');
      }
    } else if (text[i] == ']') {
      ending.clear();
    } else if (text[i] >= 'a' && text[i] <= 'z') {
      letters += text[i];
      measures.push_back({forward, 0, ending});
      forward = false;
    }
  }
  const auto order = PlayingOrder(measures, 1000, "song");
  if (!order.ok()) {
    return order.error().message;
  }
  std::string played;
  for (const size_t index : *order) {
    played += letters[index];
  }
  return played;
}

TEST(RepeatsTest, SectionsAreRepeated) {
  EXPECT_EQ(Played("a b c"), "abc");
  EXPECT_EQ(Played("a b :| c"), "ababc");
  EXPECT_EQ(Played("a |: b c :| d"), "abcbcd");
  EXPECT_EQ(Played("a |: b :| c :| d"), "abbccd");  // without a sign, after the last section
  EXPECT_EQ(Played("a :| |: b :|3 c"), "aabbbc");
}

TEST(RepeatsTest, EndingsBelongToTheirPasses) {
  EXPECT_EQ(Played("a 1[ b :| 2[ c ] d"), "abacd");
  EXPECT_EQ(Played("|: a 1[ b :| ] c d"), "abacd");
  EXPECT_EQ(Played("a 12[ b :| 3[ c ] d"), "ababacd");
  EXPECT_EQ(Played("a 1[ b :| 2[ c :| ] d"), "abacd");
  EXPECT_EQ(Played("a 1[ b :| 2[ c ] d e :| f"), "abacdedef");
  EXPECT_EQ(Played("a 1[ b c :| 2[ d ] |: e 1[ f :| 2[ g ]"), "abcadefeg");
}

TEST(RepeatsTest, OddSignsStillEnd) {
  EXPECT_EQ(Played(""), "");
  EXPECT_EQ(Played("3[ a ] b"), "b");
  EXPECT_EQ(Played("|: a |: b :| c :|"), "abbcc");
  EXPECT_EQ(Played("1[ a ] 1[ b ] c"), "abc");
}

TEST(RepeatsTest, RefusesMoreThanTheLimit) {
  const std::vector<MeasureRepeat> measures(600, MeasureRepeat{false, 2, {}});
  const auto order = PlayingOrder(measures, 1000, "song");
  ASSERT_FALSE(order.ok());
  EXPECT_EQ(order.error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace continuo
