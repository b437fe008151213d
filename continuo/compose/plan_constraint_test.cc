#include "continuo/compose/plan_constraint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "continuo/compose/composer.h"
#include "continuo/compose/fake_model_testing.h"
#include "continuo/score/chord.h"

namespace continuo {
namespace {

using ::testing::HasSubstr;

/// Pieces of a model that says anything, with a plan asked for.
class PlanConstraintTest : public ::testing::Test {
 protected:
  PlanConstraintTest() : model_(LoadFakeModel("remiplan", 1024)) {}

  static PiecePlan Plan(const char* form, const char* density, const char* loudness) {
    PiecePlan plan;
    EXPECT_TRUE(SetPlanField("form", form, plan).ok());
    EXPECT_TRUE(SetPlanField("density", density, plan).ok());
    EXPECT_TRUE(SetPlanField("loudness", loudness, plan).ok());
    return plan;
  }

  WrittenPiece Write(const Request& request, const ComposeOptions& options) {
    const Result<std::vector<WrittenPiece>> pieces = Composer(model_).Write(request, options);
    EXPECT_TRUE(pieces.ok()) << pieces.error().ToString();
    // What is written is whole: the grammar takes it, and each note that begins is decoded.
    const std::vector<TokenId>& ids = pieces->front().generated.ids;
    const std::unique_ptr<Grammar> grammar = model_.tokenizer->NewGrammar();
    size_t notes = 0;
    for (const TokenId id : ids) {
      EXPECT_TRUE(grammar->Advance(id)) << model_.tokenizer->vocabulary().token(id);
      notes += model_.tokenizer->vocabulary().begins_note(id) ? 1 : 0;
    }
    const Score score = model_.tokenizer->Decode(std::vector<std::vector<TokenId>>(1, ids));
    size_t decoded = 0;
    for (const Track& track : score.tracks) {
      decoded += track.notes.size();
    }
    EXPECT_EQ(decoded, notes);
    return pieces->front();
  }

  struct Bar {
    int repeat = -1;
    int density = -1;
    int loudness = -1;
    bool operator==(const Bar&) const = default;
  };
  /// The plan tokens of each bar.
  std::vector<Bar> Bars(const WrittenPiece& written) const {
    std::vector<Bar> bars;
    for (const TokenId id : written.generated.ids) {
      const TokenInfo& info = model_.tokenizer->vocabulary().info(id);
      if (info.type == TokenType::kBar) {
        bars.emplace_back();
      } else if (info.type == TokenType::kRepeat) {
        bars.back().repeat = info.value;
      } else if (info.type == TokenType::kDensity) {
        bars.back().density = info.value;
      } else if (info.type == TokenType::kLoudness) {
        bars.back().loudness = info.value;
      }
    }
    return bars;
  }
  std::string ErrorOf(const Request& request, const ComposeOptions& options) const {
    const Status status = Composer(model_).Check(request, options);
    return status.ok() ? "none" : status.error().ToString();
  }

  LoadedModel model_;
};

Score Song(size_t bars) {
  Score song;
  song.tracks.resize(1);
  for (Tick beat = 0; beat < static_cast<Tick>(bars) * 4; ++beat) {
    const auto pitch = static_cast<uint8_t>(beat % 8 < 4 ? 60 + beat % 4 : 50 + beat % 4);
    song.tracks[0].notes.push_back({beat * 480, 400, pitch, 80});
  }
  return song;
}

TEST_F(PlanConstraintTest, EachBarHasWhatIsAskedFor) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const WrittenPiece written =
        Write(NewRequest{.bars = 12}, {.seed = seed, .plan = Plan("A4 B4 A4", "2:1 6:9", "1 3 5")});
    const std::vector<Bar> bars = Bars(written);
    ASSERT_EQ(bars.size(), 12U);
    const std::array<int, 12> densities = {2, 3, 3, 4, 4, 5, 5, 6, 6, 6, 6, 6};
    for (size_t bar = 0; bar < 12; ++bar) {
      EXPECT_EQ(bars[bar].density, densities[bar]);
      EXPECT_EQ(bars[bar].loudness, 1 + 2 * static_cast<int>(bar / 4));
      if (bar % 4 == 0 || bar >= 8) {
        EXPECT_EQ(bars[bar].repeat, bar < 8 ? 0 : 8);
      }
    }
  }
}

TEST_F(PlanConstraintTest, WhatIsNotAskedForIsTheModelsChoice) {
  size_t with_repeat = 0, with_loudness = 0, bars_in_all = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    for (const Bar& bar : Bars(Write(NewRequest{.bars = 8}, {.seed = seed, .plan = Plan("", "4", "")}))) {
      EXPECT_EQ(bar.density, 4);
      with_repeat += bar.repeat >= 0 ? 1 : 0;
      with_loudness += bar.loudness >= 0 ? 1 : 0;
      ++bars_in_all;
    }
  }
  EXPECT_GT(with_repeat, 0U);
  EXPECT_LT(with_repeat, bars_in_all);
  EXPECT_GT(with_loudness, 0U);
  EXPECT_LT(with_loudness, bars_in_all);
}

TEST_F(PlanConstraintTest, ThePlanHoldsThroughWindowsAndRetries) {
  model_ = LoadFakeModel("remiplan", 192);
  const WrittenPiece written = Write(NewRequest{.bars = 24}, {.plan = Plan("A4 B4 A4 C4 B4 A4", "3", "0:1 7:24"),
                                                              .guards = {.silent_bars = 0, .notes_at_once = 3},
                                                              .retries = 5});
  EXPECT_GT(written.generated.slides, 0U);
  const std::vector<Bar> bars = Bars(written);
  ASSERT_EQ(bars.size(), 24U);
  for (size_t bar = 0; bar < 24; ++bar) {
    EXPECT_EQ(bars[bar].density, 3);
    EXPECT_EQ(bars[bar].loudness, std::lround(static_cast<double>(bar) * 7 / 23));
  }
  EXPECT_EQ(bars[9].repeat, 8);
  EXPECT_EQ(bars[19].repeat, 12);
  EXPECT_EQ(bars[23].repeat, 12);
}

TEST_F(PlanConstraintTest, AContinuationReturnsToBarsOfThePrompt) {
  const WrittenPiece written = Write(ContinueRequest{.piece = MidiPiece(Song(8)), .prompt_bars = 8, .bars = 6},
                                     {.plan = Plan("A4 B4 | A4 C2", "1:1 6:6", "")});
  const std::vector<Bar> bars = Bars(written);
  ASSERT_EQ(bars.size(), 14U);
  for (size_t bar = 8; bar < 12; ++bar) {
    EXPECT_EQ(bars[bar].repeat, 8);
  }
  EXPECT_EQ(bars[12].repeat, 0);
  for (size_t bar = 8; bar < 14; ++bar) {
    EXPECT_EQ(bars[bar].density, static_cast<int>(bar) - 7);
  }
}

// The model reads the plan that the bars of the prompt have.
TEST_F(PlanConstraintTest, ThePromptHasItsOwnPlan) {
  const WrittenPiece continued =
      Write(ContinueRequest{.piece = MidiPiece(Song(8)), .prompt_bars = 4, .bars = 1}, {.plan = Plan("", "7", "7")});
  const Bar none{.repeat = 0, .density = 0, .loudness = 6};
  const Bar twice{.repeat = 2, .density = 0, .loudness = 6};
  std::vector<Bar> bars = Bars(continued);
  EXPECT_EQ(std::vector<Bar>(bars.begin(), bars.begin() + 4), (std::vector<Bar>{none, none, twice, twice}));
  EXPECT_EQ(bars[4].density, 7);

  const WrittenPiece filled =
      Write(FillRequest{.piece = MidiPiece(Song(8)), .first = 4, .last = 6}, {.plan = Plan("B2 A2 | B2", "5", "2")});
  bars = Bars(filled);
  EXPECT_EQ(std::vector<Bar>(bars.begin(), bars.begin() + 4), (std::vector<Bar>{none, none, twice, twice}));
  ASSERT_EQ(bars.size(), 6U);
  EXPECT_EQ(bars[4], (Bar{4, 5, 2}));
  EXPECT_EQ(bars[5], (Bar{4, 5, 2}));
}

TEST_F(PlanConstraintTest, ChordsTempoAndPlanHoldTogether) {
  const WrittenPiece written = Write(
      NewRequest{.bars = 8}, {.chords = *ParseChordProgression("C | Am F"), .plan = Plan("AABA", "4", "5"), .bpm = 90});
  EXPECT_EQ(written.piece.score().tempos, (std::vector<Tempo>{{.time = 0, .us_per_quarter = 666667}}));
  const std::vector<Bar> bars = Bars(written);
  ASSERT_EQ(bars.size(), 8U);
  for (const Bar& bar : bars) {
    EXPECT_EQ(bar.density, 4);
    EXPECT_EQ(bar.loudness, 5);
  }
  EXPECT_EQ(bars[2].repeat, 2);
  EXPECT_EQ(bars[7].repeat, 4);
  // The chords of a bar share it evenly, whatever its time signature.
  const Vocabulary& vocabulary = model_.tokenizer->vocabulary();
  std::vector<std::string> chords;
  int beats = 0;
  int position = -1;
  for (const TokenId id : written.generated.ids) {
    const TokenInfo& info = vocabulary.info(id);
    if (info.type == TokenType::kTimeSig) {
      beats = vocabulary.time_signature(id).numerator;
    } else if (info.type == TokenType::kPosition) {
      position = info.value;
    } else if (info.type == TokenType::kChord) {
      const std::string label = Chord::FromIndex(static_cast<size_t>(info.value)).Text();
      chords.push_back(label);
      EXPECT_EQ(position, label == "F_M" ? beats * 8 / 2 : 0);
    }
  }
  EXPECT_EQ(chords, (std::vector<std::string>{"C_M", "A_m", "F_M", "C_M", "A_m", "F_M", "C_M", "A_m", "F_M", "C_M",
                                              "A_m", "F_M"}));
}

TEST_F(PlanConstraintTest, RefusesWhatCannotBeWritten) {
  EXPECT_THAT(ErrorOf(NewRequest{.bars = 8}, {.plan = Plan("A4 B5", "", "")}),
              HasSubstr("form: its sections have 9 bars together, expected 8"));
  EXPECT_THAT(ErrorOf(NewRequest{.bars = SIZE_MAX}, {.plan = Plan("", "3", "")}), HasSubstr("bars is"));
  EXPECT_THAT(ErrorOf(ContinueRequest{.piece = MidiPiece(Song(4)), .prompt_bars = 4, .bars = 2},
                      {.plan = Plan("A5 | A2", "", "")}),
              HasSubstr("5 bars, but 4 come before"));
  EXPECT_THAT(ErrorOf(FillRequest{.piece = MidiPiece(Song(4)), .first = 1, .last = 3}, {.plan = Plan("", "1:3", "")}),
              HasSubstr("bar 3 is not among the 2 new bars"));
  model_ = LoadFakeModel("remichord", 256);
  for (const PiecePlan& plan : {Plan("A8", "", ""), Plan("", "3", ""), Plan("", "", "3")}) {
    EXPECT_THAT(ErrorOf(NewRequest{.bars = 8}, {.plan = plan}), HasSubstr("need a model of the tokenizer remiplan"));
  }
  EXPECT_THAT(ErrorOf(NewRequest{.bars = 8}, {.plan = Plan("", "", "3")}),
              HasSubstr("the model's tokens (REMIChord) have no loudness"));
}

}  // namespace
}  // namespace continuo
