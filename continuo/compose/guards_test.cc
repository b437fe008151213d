#include "continuo/compose/guards.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "continuo/token/tokenizer.h"

namespace continuo {
namespace {

class GuardsTest : public ::testing::Test {
 protected:
  GuardsTest() : tokenizer_(std::move(*Tokenizer::Load("remi"))) {}

  BarGuard Guard(const GuardLimits& limits) const { return {tokenizer_->vocabulary(), limits}; }

  /// Adds one bar of tokens and ends it.
  std::optional<GuardKind> Bar(BarGuard& guard, const std::string& tokens) {
    std::istringstream words("Bar_None " + tokens);
    for (std::string word; words >> word;) {
      guard.Add(*tokenizer_->vocabulary().Find(word));
    }
    return guard.CloseBar();
  }

  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_F(GuardsTest, SilenceIsMoreBarsInARowWithoutAnOnsetThanTheLimit) {
  BarGuard guard = Guard({.silent_bars = 2});
  EXPECT_EQ(Bar(guard, ""), std::nullopt);
  EXPECT_EQ(Bar(guard, "Position_0 Tempo_121.29"), std::nullopt);
  EXPECT_EQ(Bar(guard, ""), GuardKind::kSilence);
  EXPECT_EQ(Bar(guard, "Position_0 Pitch_60 Velocity_63 Duration_1.0.8"), std::nullopt);
  EXPECT_EQ(Bar(guard, ""), std::nullopt);
}

TEST_F(GuardsTest, BarsAreEqualWhateverTheirVelocities) {
  BarGuard guard = Guard({.equal_bars = 2});
  EXPECT_EQ(Bar(guard, "Position_0 Pitch_60 Velocity_63 Duration_1.0.8"), std::nullopt);
  EXPECT_EQ(Bar(guard, "Position_0 Pitch_60 Velocity_67 Duration_1.0.8"), std::nullopt);
  EXPECT_EQ(Bar(guard, "Position_0 Pitch_60 Velocity_71 Duration_1.0.8"), GuardKind::kRepetition);
  EXPECT_EQ(Bar(guard, "Position_4 Pitch_60 Velocity_71 Duration_1.0.8"), std::nullopt);
  EXPECT_EQ(Bar(guard, "Position_4 Pitch_60 Velocity_71 Duration_1.0.8"), std::nullopt);
}

TEST_F(GuardsTest, ACrowdIsMoreNotesThatBeginTogetherThanTheLimit) {
  BarGuard guard = Guard({.notes_at_once = 2});
  const std::string note = "Pitch_60 Velocity_63 Duration_1.0.8 ";
  EXPECT_EQ(Bar(guard, "Position_0 " + note + note + "Position_1 " + note + note), std::nullopt);
  EXPECT_EQ(Bar(guard, "Position_0 " + note + note + note + "Position_1 " + note), GuardKind::kCrowd);
}

}  // namespace
}  // namespace continuo
