#include "continuo/sample/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "continuo/sample/fake_model.h"

namespace continuo {
namespace {

using ::testing::HasSubstr;

using Pieces = std::map<size_t, GeneratedPiece>;

class GenerateTest : public ::testing::TestWithParam<const char*> {
 protected:
  GenerateTest() : tokenizer_(std::move(*Tokenizer::Load(GetParam()))) {}

  Status Run(int64_t context, std::span<const TokenId> prompt, const GenerationOptions& options, Pieces& pieces,
             Progress& progress = NoProgress()) {
    const FakeModel model(static_cast<int64_t>(tokenizer_->vocabulary().size()), context);
    return Generate(
        model, *tokenizer_, prompt, options,
        [&](size_t index, GeneratedPiece piece) -> Status {
          EXPECT_TRUE(pieces.emplace(index, std::move(piece)).second) << "piece " << index << " came twice";
          return {};
        },
        progress);
  }

  Pieces RunOk(int64_t context, const GenerationOptions& options, std::span<const TokenId> prompt = {}) {
    Pieces pieces;
    const Status status = Run(context, prompt, options, pieces);
    EXPECT_TRUE(status.ok()) << status.error().ToString();
    EXPECT_EQ(pieces.size(), options.count);
    return pieces;
  }

  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_P(GenerateTest, EachPieceHasExactlyTheBarsAskedForAndANoteInTheLast) {
  for (const size_t bars : {1U, 2U, 7U}) {
    for (const auto& [index, piece] : RunOk(1024, {.bars = bars, .count = 4})) {
      const Score score = tokenizer_->Decode(std::vector<std::vector<TokenId>>(1, piece.ids));
      const Tick bar_ticks = 4 * score.ticks_per_quarter;
      Tick last_onset = -1;
      for (const Track& track : score.tracks) {
        for (const Note& note : track.notes) {
          last_onset = std::max(last_onset, note.time);
        }
      }
      EXPECT_EQ(static_cast<size_t>(last_onset / bar_ticks) + 1, bars) << "piece " << index;
    }
  }
}

TEST_P(GenerateTest, APieceIsTheSameAloneAndInABatch) {
  const Pieces alone = RunOk(1024, {.bars = 3, .count = 6, .batch = 1});
  const Pieces together = RunOk(1024, {.bars = 3, .count = 6, .batch = 4});
  const Pieces fewer = RunOk(1024, {.bars = 3, .count = 2, .batch = 8});
  for (const auto& [index, piece] : alone) {
    EXPECT_EQ(piece.ids, together.at(index).ids);
    EXPECT_EQ(piece.nll, together.at(index).nll);
    if (index < 2) {
      EXPECT_EQ(piece.ids, fewer.at(index).ids);
    }
  }
  EXPECT_NE(alone.at(0).ids, alone.at(1).ids);
  EXPECT_NE(alone.at(0).ids, RunOk(1024, {.bars = 3, .seed = 2}).at(0).ids);
}

TEST_P(GenerateTest, LongPiecesSlideAndStayWithinTheContext) {
  // The fake model checks that no window exceeds its context.
  for (const auto& [index, piece] : RunOk(96, {.bars = 40, .count = 2})) {
    EXPECT_GT(piece.slides, 0U);
    EXPECT_GT(piece.ids.size(), 96U);
  }
  // A context shorter than a bar still works.
  EXPECT_GT(RunOk(16, {.bars = 6}).at(0).slides, 0U);
}

TEST_P(GenerateTest, AModelThatOnlyEverWantsNotesStillComesToTheEnd) {
  // Greedy, with notes and their parts always likelier than what leads on.
  std::vector<float> bias(tokenizer_->vocabulary().size(), 0.0F);
  for (size_t id = 0; id < bias.size(); ++id) {
    const std::string& token = tokenizer_->vocabulary().token(static_cast<TokenId>(id));
    bias[id] = token.starts_with("Pitch_") || token.starts_with("NoteO") ? 100.0F : 0.0F;
  }
  const FakeModel model(static_cast<int64_t>(bias.size()), 1024, bias);
  size_t length = 0;
  const auto sink = [&](size_t, GeneratedPiece piece) -> Status {
    length = piece.ids.size();
    return {};
  };
  ASSERT_TRUE(Generate(model, *tokenizer_, {}, {.bars = 3}, sink, NoProgress()).ok());
  EXPECT_GT(length, 3U * 512U);
  EXPECT_LT(length, 3U * 1024U);
}

TEST_P(GenerateTest, WhatIsWrittenFollowsTheGrammar) {
  for (const auto& [index, piece] : RunOk(1024, {.bars = 8, .count = 3})) {
    const auto grammar = tokenizer_->NewGrammar();
    for (const TokenId id : piece.ids) {
      ASSERT_TRUE(grammar->Advance(id)) << tokenizer_->vocabulary().token(id);
    }
  }
}

TEST_P(GenerateTest, RefusesWhatCannotBe) {
  Pieces pieces;
  EXPECT_THAT(Run(64, {}, {.bars = 0}, pieces).error().message, HasSubstr("bars is 0, expected 1"));
  EXPECT_THAT(Run(64, {}, {.bars = kMaxBars + 1}, pieces).error().message, HasSubstr("bars is 10001"));
  EXPECT_THAT(Run(64, {}, {.count = 0}, pieces).error().message, HasSubstr("count is 0"));
  EXPECT_THAT(Run(64, {}, {.sampling = {.temperature = -1}}, pieces).error().message, HasSubstr("temperature is -1"));
  const TokenId pad = *tokenizer_->vocabulary().pad();
  EXPECT_THAT(Run(64, std::vector{pad}, {}, pieces).error().message, HasSubstr("token 0 (PAD_None) breaks the grammar"));
  const FakeModel model(10, 64);
  EXPECT_THAT(Generate(model, *tokenizer_, {}, {}, nullptr, NoProgress()).error().message,
              HasSubstr("the model has 10 tokens, its tokenizer"));
  EXPECT_TRUE(pieces.empty());
}

TEST_P(GenerateTest, StopsWhenAskedAndKeepsWhatIsWhole) {
  class StopAfterFirst : public Progress {
   public:
    explicit StopAfterFirst(const Pieces& pieces) : pieces_(pieces) {}
    bool ShouldStop() const override { return !pieces_.empty(); }

   private:
    const Pieces& pieces_;
  };
  Pieces pieces;
  StopAfterFirst progress(pieces);
  ASSERT_TRUE(Run(1024, {}, {.bars = 2, .count = 50, .batch = 1}, pieces, progress).ok());
  EXPECT_EQ(pieces.size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Kinds, GenerateTest, ::testing::Values("remi", "midilike"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace continuo
