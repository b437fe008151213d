#include "continuo/compose/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "continuo/compose/fake_model.h"
#include "continuo/compose/generate.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class PlanTest : public ::testing::Test {
 protected:
  /// A piece of a model that says anything at all, kept to a plan.
  Score Write(const std::string& tokenizer_name, const GenerationOptions& options) {
    const std::unique_ptr<Tokenizer> tokenizer = std::move(*Tokenizer::Load(tokenizer_name));
    const FakeModel model(tokenizer->vocabulary().size(), 256);
    Score score;
    const auto sink = [&](size_t, GeneratedPiece piece) -> Status {
      const std::unique_ptr<Grammar> grammar = tokenizer->NewGrammar();
      for (const TokenId id : piece.ids) {
        EXPECT_TRUE(grammar->Advance(id)) << tokenizer->vocabulary().token(id);
      }
      score = DecodePlanned(piece.ids, options.plan, *tokenizer);
      as_tokens_ = tokenizer->Decode(std::vector<std::vector<TokenId>>(1, piece.ids));
      return {};
    };
    const Status status = Generate(model, *tokenizer, {}, options, sink, NoProgress());
    EXPECT_TRUE(status.ok()) << status.error().ToString();
    return score;
  }
  std::string Refusal(const std::string& tokenizer_name, const Plan& plan) {
    return PlanTable::Create(plan, **Tokenizer::Load(tokenizer_name)).error().ToString();
  }
  Score as_tokens_;  // what the tokens of the last piece say
};

std::vector<std::pair<Tick, std::string>> Markers(const Score& score) {
  std::vector<std::pair<Tick, std::string>> markers;
  for (const TextEvent& marker : score.markers) {
    markers.emplace_back(marker.time / (score.ticks_per_quarter / 8), marker.text);
  }
  return markers;
}

TEST_F(PlanTest, ChordsStandWhereThePlanHasThemAndNowhereElse) {
  const Plan plan{.chords = *ParseChordPlan("C | Am G7 | F"), .bpm = {}};
  EXPECT_THAT(Markers(Write("remichord", {.bars = 5, .plan = plan})),
              ElementsAre(Pair(0, "C_M"), Pair(32, "A_m"), Pair(48, "G_7"), Pair(64, "F_M"), Pair(96, "C_M"),
                          Pair(128, "A_m"), Pair(144, "G_7")));
}

TEST_F(PlanTest, AChordThatIsInForceIsNotSaidAgain) {
  const Plan plan{.chords = *ParseChordPlan("C C | C | F F C"), .bpm = {}};
  EXPECT_THAT(Markers(Write("remichord", {.bars = 4, .plan = plan})),
              ElementsAre(Pair(0, "C_M"), Pair(64, "F_M"), Pair(64 + 21, "C_M")));
}

TEST_F(PlanTest, ThePlanHoldsThroughWindowsAndRetries) {
  const Plan plan{.chords = *ParseChordPlan("C | F"), .bpm = {}};
  const Score score =
      Write("remichord", {.bars = 24, .plan = plan, .guards = {.silent_bars = 0, .notes_at_once = 3}, .retries = 5});
  ASSERT_EQ(score.markers.size(), 24U);
  for (size_t bar = 0; bar < 24; ++bar) {
    EXPECT_EQ(Markers(score)[bar], std::pair(static_cast<Tick>(32 * bar), std::string(bar % 2 == 0 ? "C_M" : "F_M")));
  }
}

TEST_F(PlanTest, TheTempoIsTheOneAskedForAndItsTokenTheNearest) {
  for (const char* tokenizer : {"remi", "remichord"}) {
    const Score score = Write(tokenizer, {.bars = 4, .plan = {.chords = {}, .bpm = 96}});
    EXPECT_EQ(score.tempos, (std::vector<Tempo>{{.time = 0, .us_per_quarter = 625000}})) << tokenizer;
    ASSERT_EQ(as_tokens_.tempos.size(), 1U) << tokenizer;
    EXPECT_EQ(as_tokens_.tempos[0].time, 0);
    EXPECT_NEAR(as_tokens_.tempos[0].qpm(), 96, 4);  // half a step of 32 tempos from 40 to 250
  }
}

TEST_F(PlanTest, ChordNamesAreThoseOfLeadSheets) {
  const auto text = [](std::string_view name) { return ParseChordName(name)->Text(); };
  EXPECT_EQ(text("C"), "C_M");
  EXPECT_EQ(text("F#m7"), "F#_m7");
  EXPECT_EQ(text("Bbmaj7"), "A#_M7");
  EXPECT_EQ(text("Bdim"), "B_o");
  EXPECT_EQ(text("Bb"), "A#_M");
  EXPECT_EQ(text("Em7b5"), "E_/o7");
  EXPECT_EQ(text("N"), "N");
  EXPECT_FALSE(ParseChordName("H"));
  EXPECT_FALSE(ParseChordName("Cmaj9"));
  EXPECT_FALSE(ParseChordName(""));
}

TEST_F(PlanTest, WhatCannotBeAskedForIsRefused) {
  EXPECT_THAT(ParseChordPlan("C | | F").error().message, HasSubstr("bar 2 is empty"));
  EXPECT_THAT(ParseChordPlan("").error().message, HasSubstr("bar 1 is empty"));
  EXPECT_THAT(ParseChordPlan("C | Q7").error().message, HasSubstr("bar 2 has 'Q7'"));
  EXPECT_THAT(Refusal("remi", {.chords = *ParseChordPlan("C"), .bpm = {}}),
              HasSubstr("need a model of the tokenizer remichord"));
  EXPECT_THAT(Refusal("midilike", {.chords = {}, .bpm = 96}), HasSubstr("hold no tempo"));
  EXPECT_THAT(Refusal("remi", {.chords = {}, .bpm = 39}), HasSubstr("bpm is 39, expected 40 to 250"));
  EXPECT_THAT(Refusal("remi", {.chords = {}, .bpm = 400}), HasSubstr("bpm is 400"));
  EXPECT_THAT(Refusal("remi", {.chords = {}, .bpm = NAN}), HasSubstr("bpm is nan"));
}

}  // namespace
}  // namespace continuo
