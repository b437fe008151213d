#include "continuo/score/form.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace continuo {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Sections = std::vector<FormSection>;

TEST(Form, SectionsWithTheirBars) {
  const PieceForm form = ParseForm("A8 B4\tc2,A'8A''1").value();
  EXPECT_EQ(form.sections, (Sections{{"A", 8}, {"B", 4}, {"C", 2}, {"A'", 8}, {"A''", 1}}));
  EXPECT_THAT(form.before, IsEmpty());
  EXPECT_EQ(BarsOf(form.sections), 23U);
}

TEST(Form, SectionsWithoutBarsShareThemEvenly) {
  EXPECT_EQ(SectionsOver(ParseForm("AAb'").value().sections, 12).value(), (Sections{{"A", 4}, {"A", 4}, {"B'", 4}}));
  EXPECT_THAT(SectionsOver({{"A", 0}, {"A", 0}, {"B", 0}}, 8).error().ToString(),
              HasSubstr("8 bars cannot be divided evenly among 3 sections"));
}

TEST(Form, AStrokeSeparatesWhatComesBefore) {
  const PieceForm form = ParseForm("A8 B8 | A4").value();
  EXPECT_EQ(form.before, (Sections{{"A", 8}, {"B", 8}}));
  EXPECT_EQ(form.sections, (Sections{{"A", 4}}));
}

TEST(Form, BarsThatDoNotAddUpAreRefused) {
  EXPECT_EQ(SectionsOver({{"A", 8}, {"B", 8}}, 16).value(), (Sections{{"A", 8}, {"B", 8}}));
  EXPECT_THAT(SectionsOver({{"A", 8}, {"B", 8}}, 15).error().message,
              HasSubstr("its sections have 16 bars together, expected 15"));
}

TEST(Form, ATextThatIsNoFormIsRefused) {
  const auto error = [](std::string_view text) {
    const Result<PieceForm> form = ParseForm(text);
    return form.ok() ? "none" : form.error().message;
  };
  EXPECT_THAT(error("A8 ?8"), HasSubstr("'?' at byte 4 is not a letter from A to Z"));
  EXPECT_THAT(error("A8 Ä8"), HasSubstr("'Ä' at byte 4"));
  EXPECT_THAT(error("8"), HasSubstr("'8' at byte 1"));
  EXPECT_THAT(error("'A8"), HasSubstr("''' at byte 1"));
  EXPECT_THAT(error("A8 | A4 | B"), HasSubstr("'|' at byte 9"));
  EXPECT_THAT(error("A0"), HasSubstr("section 1 (A) has a number of bars that is not from 1 to 10000"));
  EXPECT_THAT(error("A8 B'99999999999999999999999"), HasSubstr("section 2 (B')"));
  EXPECT_THAT(error("A8 B"), HasSubstr("sections without a number of bars"));
  EXPECT_THAT(error("A | A4"), HasSubstr("sections without a number of bars"));
  EXPECT_THAT(error("A8 |"), HasSubstr("no section after '|'"));
  EXPECT_THAT(error("  "), HasSubstr("no section; expected letters with numbers of bars, like \"A8 B8 A8 C8\""));
  EXPECT_THAT(error(std::string(20000, 'A')), HasSubstr("more than 10000 sections"));
}

}  // namespace
}  // namespace continuo
