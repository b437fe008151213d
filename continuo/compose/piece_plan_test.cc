#include "continuo/compose/piece_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "continuo/compose/generate.h"
#include "continuo/core/rng.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Plans written as text, and what they ask of each bar as text: "0" for a lag, "-" for free.
class PiecePlanTest : public ::testing::Test {
 protected:
  void Set(const char* name, const std::string& text) {
    const Status status = SetPlanField(name, text, plan_);
    EXPECT_TRUE(status.ok()) << status.error().ToString();
  }
  std::string ErrorOf(const char* name, const std::string& text) {
    const Status status = SetPlanField(name, text, plan_);
    return status.ok() ? "none" : status.error().message;
  }
  std::string ErrorOver(size_t bars, size_t first_bar = 0) {
    const auto plans = PlanBars(plan_, first_bar, bars);
    return plans.ok() ? "none" : plans.error().message;
  }
  std::string Values(size_t bars, std::optional<int> BarPlan::* member, size_t first_bar = 0) {
    const auto plans = PlanBars(plan_, first_bar, bars);
    EXPECT_TRUE(plans.ok()) << plans.error().ToString();
    std::string text;
    for (const BarPlan& plan : *plans) {
      text += (text.empty() ? "" : " ") + (plan.*member ? std::to_string(*(plan.*member)) : "-");
    }
    return text;
  }
  std::string Repeats(const std::string& form, size_t bars, size_t first_bar = 0) {
    Set("form", form);
    return Values(bars, &BarPlan::repeat, first_bar);
  }
  std::string Density(const std::string& course, size_t bars) {
    Set("density", course);
    return Values(bars, &BarPlan::density);
  }

  PiecePlan plan_;
};

TEST_F(PiecePlanTest, ALetterThatReturnsRepeatsItsBars) {
  EXPECT_EQ(Repeats("A2 B2 A2 C1", 7), "0 - 0 - 4 4 0");
  EXPECT_EQ(Repeats("A2B2A2", 6), "0 - 0 - 4 4");
  EXPECT_EQ(Repeats("a1,b1,a1", 3), "0 0 2");
}

TEST_F(PiecePlanTest, ALetterWithAStrokeIsAnotherSection) {
  EXPECT_EQ(Repeats("A2 A'2 A2 A'2", 8), "0 - 0 - 4 4 4 4");
}

TEST_F(PiecePlanTest, ItRepeatsTheSectionOfItsLetterBeforeIt) {
  EXPECT_EQ(Repeats("A2 A2 B1 A2", 7), "0 - 2 2 0 3 3");
}

TEST_F(PiecePlanTest, BarsThatTheSectionBeforeDoesNotHaveComeFromAnEarlierOneOrAreFree) {
  EXPECT_EQ(Repeats("A3 A1 A4", 8), "0 - - 3 1 4 4 -");
  EXPECT_EQ(Repeats("A2 B1 A3", 6), "0 - 0 3 3 -");
}

TEST_F(PiecePlanTest, LettersWithoutBarsHaveEvenShares) {
  EXPECT_EQ(Repeats("AABA", 8), "0 - 2 2 0 - 4 4");
  EXPECT_EQ(Repeats("A B", 2), "0 0");
}

TEST_F(PiecePlanTest, SectionsBeforeAStrokeAreTheLastBarsBeforeTheNewOnes) {
  EXPECT_EQ(Repeats("A2 B2 | A2 C2", 4, 4), "4 4 0 -");
  EXPECT_EQ(Repeats("A2 | A2", 2, 9), "2 2");
  // Without them it is not known whether the first section is new.
  EXPECT_EQ(Repeats("A2 B1 A2", 5, 4), "- - 0 3 3");
}

TEST_F(PiecePlanTest, AFormReturnsAfterAtMost64Bars) {
  EXPECT_EQ(Repeats("A8 B56 A8", 72).substr(128), "64 64 64 64 64 64 64 64");
  Set("form", "A8 B57 A8");
  EXPECT_THAT(ErrorOver(73), HasSubstr("bar 1 of section 3 (A) returns after 65 bars, expected at most 64"));
}

TEST_F(PiecePlanTest, AFormThatDoesNotAddUpIsRefused) {
  Set("form", "A8 B8");
  EXPECT_THAT(ErrorOver(15), HasSubstr("its sections have 16 bars together, expected 15"));
  Set("form", "AAB");
  EXPECT_THAT(ErrorOver(8), HasSubstr("8 bars cannot be divided evenly among 3 sections"));
  Set("form", "A8 | A4");
  EXPECT_THAT(ErrorOver(4, 7), HasSubstr("before '|' have 8 bars, but 7 come before"));
}

TEST_F(PiecePlanTest, AFormThatIsNoFormIsRefused) {
  EXPECT_THAT(ErrorOf("form", "A8 ?8"), HasSubstr("form: '?' at byte 4"));
  EXPECT_EQ(ErrorOf("form", ""), "none");
  EXPECT_TRUE(plan_.empty());
}

TEST_F(PiecePlanTest, OneLevelHoldsForAllBars) {
  EXPECT_EQ(Density("5", 3), "5 5 5");
  EXPECT_EQ(Density("2.5", 1), "3");
  EXPECT_EQ(Density("2.4", 1), "2");
}

TEST_F(PiecePlanTest, ALevelForEachSection) {
  Set("form", "A2 B1 A2");
  EXPECT_EQ(Density("2 5, 7", 5), "2 2 5 7 7");
  Set("density", "2 5");
  EXPECT_THAT(ErrorOver(5), HasSubstr("density: has 2 levels, but the form has 3 sections"));
  Set("form", "");
  EXPECT_THAT(ErrorOver(5), HasSubstr("density: has 2 levels, but the form has 0 sections"));
}

TEST_F(PiecePlanTest, LinesLeadFromPointToPoint) {
  EXPECT_EQ(Density("2:1 6:9", 9), "2 3 3 4 4 5 5 6 6");
  EXPECT_EQ(Density("1:2 7:4 0:5", 6), "1 1 4 7 0 0");
  EXPECT_EQ(Density("3:2", 4), "3 3 3 3");
  EXPECT_EQ(Density("0.6:1", 2), "1 1");
}

TEST_F(PiecePlanTest, ACourseThatIsNoCourseIsRefused) {
  EXPECT_THAT(ErrorOf("density", "8"), HasSubstr("density: '8' does not begin with a level from 0 to 7"));
  EXPECT_THAT(ErrorOf("loudness", "-1"), HasSubstr("loudness: '-1'"));
  EXPECT_THAT(ErrorOf("density", "nan"), HasSubstr("'nan'"));
  EXPECT_THAT(ErrorOf("density", "2 x"), HasSubstr("'x'"));
  EXPECT_THAT(ErrorOf("density", "2:"), HasSubstr("'2:' does not end with a bar"));
  EXPECT_THAT(ErrorOf("density", "2:0"), HasSubstr("'2:0'"));
  EXPECT_THAT(ErrorOf("density", "2:1.5"), HasSubstr("'2:1.5'"));
  EXPECT_THAT(ErrorOf("density", "2:1:1"), HasSubstr("'2:1:1'"));
  EXPECT_THAT(ErrorOf("density", ":3"), HasSubstr("':3'"));
  EXPECT_THAT(ErrorOf("density", "2:4 3:4"), HasSubstr("'3:4' comes after bar 4; expected rising bars"));
  EXPECT_THAT(ErrorOf("density", "2:4 3"), HasSubstr("both points LEVEL:BAR and levels without bars"));
  EXPECT_THAT(ErrorOf("density", " , "), HasSubstr("density: is empty"));
  Set("density", "2:1 6:24");
  EXPECT_THAT(ErrorOver(23), HasSubstr("density: bar 24 is not among the 23 new bars"));
}

TEST_F(PiecePlanTest, MoreBarsThanAPieceMayHaveAreRefused) {
  Set("density", "3");
  EXPECT_THAT(ErrorOver(kMaxBars + 1), HasSubstr("bars is 10001"));
  EXPECT_THAT(ErrorOver(SIZE_MAX), HasSubstr("bars is"));
}

TEST_F(PiecePlanTest, AnyTextIsRefusedOrAsksForWhatABarCanHave) {
  constexpr std::string_view kCharacters = "AABC1248 |:.,-e";
  Rng rng(5, 5);
  size_t taken = 0;
  for (int round = 0; round < 20000; ++round) {
    PiecePlan plan;
    for (const PlanField& field : PlanFields()) {
      std::string text(1 + rng.NextBelow(8), ' ');
      for (char& c : text) {
        c = kCharacters[rng.NextBelow(kCharacters.size())];
      }
      static_cast<void>(SetPlanField(field.name, text, plan));
    }
    const size_t first_bar = rng.NextBelow(3) * 40;
    const size_t bars = 1 + rng.NextBelow(16);
    const auto plans = PlanBars(plan, first_bar, bars);
    if (!plans.ok()) {
      EXPECT_FALSE(plans.error().message.empty());
      continue;
    }
    taken += plan.form.empty() ? 0 : 1;
    ASSERT_EQ(plans->size(), bars);
    for (size_t bar = 0; bar < bars; ++bar) {
      const BarPlan& asked = (*plans)[bar];
      const int most = static_cast<int>(std::min<size_t>(first_bar + bar, 64));
      EXPECT_TRUE(!asked.repeat || (*asked.repeat >= 0 && *asked.repeat <= most));
      EXPECT_TRUE(!asked.density || (*asked.density >= 0 && *asked.density <= 7));
      EXPECT_TRUE(!asked.loudness || (*asked.loudness >= 0 && *asked.loudness <= 7));
    }
  }
  EXPECT_GT(taken, 100U);
}

}  // namespace
}  // namespace continuo
