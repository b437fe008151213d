#include "continuo/compose/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "continuo/compose/fake_model_testing.h"
#include "continuo/compose/likelihood.h"
#include "continuo/core/rng.h"

namespace continuo {
namespace {

using ::testing::HasSubstr;

using Pieces = std::map<size_t, GeneratedPiece>;

/// A number that tells any two drafts apart.
double RatingOf(std::span<const TokenId> ids) {
  uint64_t name = 0;
  for (const TokenId id : ids) {
    name = Rng(name, static_cast<uint64_t>(id)).NextU64();
  }
  return Rng(name, 0).NextDouble();
}

class GenerateTest : public ::testing::TestWithParam<const char*> {
 protected:
  GenerateTest() : tokenizer_(std::move(*Tokenizer::Load(GetParam()))) {}

  Status Run(int64_t context, std::span<const TokenId> prompt, const GenerationOptions& options, Pieces& pieces) {
    const FakeModel model(tokenizer_->vocabulary().size(), context);
    const auto sink = [&](size_t index, GeneratedPiece piece) -> Status {
      EXPECT_TRUE(pieces.emplace(index, std::move(piece)).second) << "piece " << index << " came twice";
      return {};
    };
    return Generate(model, *tokenizer_, prompt, options, {sink}, NoProgress());
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

TEST_P(GenerateTest, EachPieceHasExactlyTheRequestedBarsAndANoteInTheLast) {
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

TEST_P(GenerateTest, AModelThatAlwaysPrefersNotesStillReachesTheEnd) {
  // Notes and their ends are always likelier than what leads to the bar line.
  std::vector<float> bias(tokenizer_->vocabulary().size(), 0.0F);
  for (size_t id = 0; id < bias.size(); ++id) {
    const TokenType type = tokenizer_->vocabulary().info(static_cast<TokenId>(id)).type;
    bias[id] = type == TokenType::kPitch || type == TokenType::kNoteOff ? 100.0F : 0.0F;
  }
  const FakeModel model(bias.size(), 1024, bias);
  size_t length = 0;
  const auto sink = [&](size_t, GeneratedPiece piece) -> Status {
    length = piece.ids.size();
    return {};
  };
  ASSERT_TRUE(Generate(model, *tokenizer_, {}, {.bars = 3}, {sink}, NoProgress()).ok());
  EXPECT_GT(length, 3U * 512U);
  EXPECT_LT(length, 3U * 1024U);
}

TEST_P(GenerateTest, PiecesFollowTheGrammar) {
  for (const auto& [index, piece] : RunOk(1024, {.bars = 8, .count = 3})) {
    const auto grammar = tokenizer_->NewGrammar();
    for (const TokenId id : piece.ids) {
      ASSERT_TRUE(grammar->Advance(id)) << tokenizer_->vocabulary().token(id);
    }
  }
}

TEST_P(GenerateTest, TheLikelihoodMeasuredAfterwardsIsThatOfTheDraws) {
  // With windows that slide, and with drafts, too.
  for (const auto& [context, drafts] : {std::pair(16384, 1), {96, 1}, {16384, 3}, {96, 3}}) {
    const FakeModel model(tokenizer_->vocabulary().size(), static_cast<size_t>(context));
    GenerationOptions options = {.bars = 24, .count = 2, .drafts = {.count = static_cast<size_t>(drafts)}};
    options.drafts.rate = [](std::span<const TokenId> ids, size_t) -> Result<std::optional<double>> {
      return std::optional(RatingOf(ids));
    };
    for (const auto& [index, piece] : RunOk(context, options)) {
      EXPECT_EQ(piece.slides > 0, context == 96);
      // A REMI piece ends with a draw of EOS or Bar, which is no part of it.
      std::vector<double> sums;
      for (const std::optional<TokenId> last :
           {std::optional<TokenId>(), tokenizer_->vocabulary().eos(), tokenizer_->vocabulary().id(TokenType::kBar)}) {
        std::vector<TokenId> ids = piece.ids;
        if (last) {
          ids.push_back(*last);
        }
        const Result<Likelihood> likelihood = MeasureLikelihood(model, *tokenizer_, ids, NoProgress());
        ASSERT_TRUE(likelihood.ok());
        sums.push_back(likelihood->total() / static_cast<double>(ids.size()));
      }
      EXPECT_THAT(sums, ::testing::Contains(::testing::DoubleNear(piece.nll, 1e-12)));
    }
  }
}

TEST_P(GenerateTest, OfDraftsTheBestAreKept) {
  // Three of each four bars; a time shift of a MIDI-Like draft may pass their end.
  for (const int64_t context : {16384, 96}) {
    struct Draft {
      std::vector<TokenId> ids;
      size_t bars;
    };
    std::vector<Draft> drafts;
    GenerationOptions options = {.bars = 30, .count = 1, .drafts = {.count = 3}};
    options.drafts.rate = [&](std::span<const TokenId> ids, size_t bars) -> Result<std::optional<double>> {
      drafts.push_back({{ids.begin(), ids.end()}, bars});
      return std::optional(RatingOf(ids));
    };
    const GeneratedPiece piece = RunOk(context, options).at(0);
    EXPECT_EQ(piece.slides > 0, context == 96);
    ASSERT_EQ(drafts.size() % 3, 0U);
    std::vector<TokenId> kept;
    for (size_t i = 0; i < drafts.size(); i += 3) {
      const auto best = std::max_element(
          drafts.begin() + static_cast<std::ptrdiff_t>(i), drafts.begin() + static_cast<std::ptrdiff_t>(i) + 3,
          [](const Draft& x, const Draft& y) { return RatingOf(x.ids) < RatingOf(y.ids); });
      for (size_t k = i; k < i + 3; ++k) {
        ASSERT_GT(drafts[k].ids.size(), kept.size());
        EXPECT_TRUE(std::equal(kept.begin(), kept.end(), drafts[k].ids.begin()));
        EXPECT_TRUE(drafts[k].bars % DraftOptions::kBars == 0 || drafts[k].bars == 30 ||
                    std::string_view(GetParam()) == "midilike");
        for (size_t other = i; other < k; ++other) {
          EXPECT_NE(drafts[k].ids, drafts[other].ids);
        }
      }
      kept = best->ids;
    }
    EXPECT_EQ(piece.ids, kept);
  }
}

TEST_P(GenerateTest, DraftsThatCannotBeComparedChangeNothing) {
  GenerationOptions options = {.bars = 6, .count = 2};
  const Pieces plain = RunOk(1024, options);
  options.drafts.count = 4;
  options.drafts.rate = [](std::span<const TokenId>, size_t) -> Result<std::optional<double>> {
    return std::optional<double>();
  };
  for (const auto& [index, piece] : RunOk(1024, options)) {
    EXPECT_EQ(piece.ids, plain.at(index).ids);
    EXPECT_EQ(piece.nll, plain.at(index).nll);
  }
  options.drafts.rate = [](std::span<const TokenId>, size_t) -> Result<std::optional<double>> {
    return MakeError("no rating");
  };
  Pieces none;
  EXPECT_EQ(Run(1024, {}, options, none).error().message, "no rating");
}

TEST_P(GenerateTest, DraftsAreTheSameInAnyBatchAndEndInBarsThatAreReportedOnce) {
  const FakeModel model(tokenizer_->vocabulary().size(), 1024);
  const std::vector<TokenId> song = RunOk(1024, {.bars = 3}).at(0).ids;
  for (const bool has_prompt : {false, true}) {
    const std::span<const TokenId> prompt = has_prompt ? std::span(song) : std::span<const TokenId>();
    Pieces first;
    for (const size_t batch : {1U, 4U}) {
      std::map<size_t, std::vector<size_t>> reported;
      std::map<size_t, std::vector<TokenId>> last;
      const auto on_bar = [&](size_t index, std::span<const TokenId> ids, size_t bars) -> Status {
        reported[index].push_back(bars);
        EXPECT_TRUE(std::equal(last[index].begin(), last[index].end(), ids.begin()));
        last[index].assign(ids.begin(), ids.end());
        return {};
      };
      const auto sink = [&](size_t index, GeneratedPiece piece) -> Status {
        EXPECT_EQ(piece.ids, last[index]);
        EXPECT_EQ(piece.prompt_length, prompt.size());
        if (batch == 1) {
          first[index] = piece;
        }
        EXPECT_EQ(piece.ids, first[index].ids);
        EXPECT_EQ(piece.nll, first[index].nll);
        EXPECT_EQ(piece.retries, first[index].retries);
        return {};
      };
      GenerationOptions options = {.bars = 11, .count = 3, .batch = batch, .drafts = {.count = 2}};
      options.guards = {.silent_bars = 0};
      options.retries = 5;
      options.drafts.rate = [](std::span<const TokenId> ids, size_t) -> Result<std::optional<double>> {
        return std::optional(RatingOf(ids));
      };
      ASSERT_TRUE(Generate(model, *tokenizer_, prompt, options, {sink, on_bar}, NoProgress()).ok());
      ASSERT_EQ(reported.size(), 3U);
      for (const auto& [index, bars] : reported) {
        EXPECT_TRUE(std::is_sorted(bars.begin(), bars.end(), std::less_equal<>()));
        EXPECT_EQ(bars.back(), 11U);
      }
    }
  }
}

TEST_P(GenerateTest, BarsAreReportedAsTheyAreComplete) {
  const FakeModel model(tokenizer_->vocabulary().size(), 1024);
  std::map<size_t, std::vector<size_t>> reported;
  std::map<size_t, std::vector<TokenId>> last;
  const auto on_bar = [&](size_t index, std::span<const TokenId> ids, size_t bars) -> Status {
    reported[index].push_back(bars);
    EXPECT_GT(ids.size(), last[index].size());
    last[index].assign(ids.begin(), ids.end());
    return {};
  };
  const auto sink = [&](size_t index, GeneratedPiece piece) -> Status {
    EXPECT_EQ(piece.ids, last[index]);
    return {};
  };
  ASSERT_TRUE(Generate(model, *tokenizer_, {}, {.bars = 6, .count = 3}, {sink, on_bar}, NoProgress()).ok());
  ASSERT_EQ(reported.size(), 3U);
  for (const auto& [index, bars] : reported) {
    EXPECT_TRUE(std::is_sorted(bars.begin(), bars.end(), std::less_equal<>()));
    EXPECT_EQ(bars.back(), 6U);
  }
}

TEST_P(GenerateTest, GuardsRecordStuckBarsAndRetriesRemoveThem) {
  // Two equal bars in a row, or an empty bar, count as stuck. Notes are rare enough that some bars
  // are empty.
  const float rarity = std::string_view(GetParam()) == "remi" ? -4.5F : -1.0F;
  std::vector<float> bias(tokenizer_->vocabulary().size(), 0.0F);
  for (size_t id = 0; id < bias.size(); ++id) {
    bias[id] = tokenizer_->vocabulary().begins_note(static_cast<TokenId>(id)) ? rarity : 0.0F;
  }
  const FakeModel model(bias.size(), 4096, bias);
  const auto run = [&](size_t retries, size_t batch) {
    Pieces pieces;
    const auto sink = [&](size_t index, GeneratedPiece piece) -> Status {
      pieces.emplace(index, std::move(piece));
      return {};
    };
    const GenerationOptions options = {
        .bars = 5, .count = 3, .batch = batch, .guards = {.silent_bars = 0, .equal_bars = 1}, .retries = retries};
    EXPECT_TRUE(Generate(model, *tokenizer_, {}, options, {sink}, NoProgress()).ok());
    return pieces;
  };
  const Pieces plain = run(0, 3);
  const Pieces retried = run(500, 3);
  const Pieces alone = run(500, 1);
  size_t stuck = 0;
  for (size_t index = 0; index < 3; ++index) {
    stuck += plain.at(index).guards.size();
    EXPECT_EQ(plain.at(index).retries, 0U);
    const GeneratedPiece& piece = retried.at(index);
    EXPECT_THAT(piece.guards, ::testing::IsEmpty());
    EXPECT_EQ(piece.ids, alone.at(index).ids);
    EXPECT_EQ(piece.nll, alone.at(index).nll);
    EXPECT_EQ(piece.retries > 0, !plain.at(index).guards.empty());
    // What was removed left no trace: the likelihood is that of the piece as it is.
    std::vector<TokenId> ids = piece.ids;
    double closest = 1.0;
    for (const std::optional<TokenId> last :
         {std::optional<TokenId>(), tokenizer_->vocabulary().eos(), tokenizer_->vocabulary().id(TokenType::kBar)}) {
      ids = piece.ids;
      if (last) {
        ids.push_back(*last);
      }
      const double nll =
          MeasureLikelihood(model, *tokenizer_, ids, NoProgress())->total() / static_cast<double>(ids.size());
      closest = std::min(closest, std::abs(nll - piece.nll));
    }
    EXPECT_LT(closest, 1e-12);
  }
  EXPECT_GT(stuck, 0U);
}

/// Forbids every token, and records the bars that are reported to it.
class ForbidAll : public TokenConstraint {
 public:
  explicit ForbidAll(std::vector<std::vector<size_t>>& bars) : bars_(bars) {}
  void Restrict(std::span<uint8_t> allowed) const override { std::fill(allowed.begin(), allowed.end(), uint8_t{0}); }
  void Advance(TokenId /*id*/) override {}
  void BeginBar(size_t bar) override {
    if (bar == 0) {
      bars_.emplace_back();
    }
    bars_.back().push_back(bar);
  }
  std::unique_ptr<TokenConstraint> Clone() const override { return std::make_unique<ForbidAll>(bars_); }

 private:
  std::vector<std::vector<size_t>>& bars_;  // by piece
};

TEST_P(GenerateTest, AConstraintThatForbidsEverythingIsIgnoredAndIsToldEachBarOnce) {
  std::vector<std::vector<size_t>> bars;
  const GenerationOptions plain = {.bars = 4, .count = 2, .batch = 1};
  GenerationOptions constrained = plain;
  constrained.constraints = {std::make_shared<ForbidAll>(bars)};
  EXPECT_EQ(RunOk(1024, plain).at(1).ids, RunOk(1024, constrained).at(1).ids);
  ASSERT_EQ(bars.size(), 2U);
  for (const std::vector<size_t>& of_piece : bars) {
    EXPECT_TRUE(std::is_sorted(of_piece.begin(), of_piece.end(), std::less_equal<>()));
    EXPECT_EQ(of_piece.front(), 0U);
    EXPECT_LT(of_piece.back(), 4U);
  }
}

TEST_P(GenerateTest, RejectsOptionsOutOfRangeAndBadPrompts) {
  Pieces pieces;
  EXPECT_THAT(Run(64, {}, {.bars = 0}, pieces).error().message, HasSubstr("bars is 0, expected 1"));
  EXPECT_THAT(Run(64, {}, {.bars = kMaxBars + 1}, pieces).error().message, HasSubstr("bars is 10001"));
  EXPECT_THAT(Run(64, {}, {.count = 0}, pieces).error().message, HasSubstr("count is 0"));
  EXPECT_THAT(Run(64, {}, {.sampling = {.temperature = -1}}, pieces).error().message, HasSubstr("temperature is -1"));
  const TokenId pad = *tokenizer_->vocabulary().pad();
  EXPECT_THAT(Run(64, std::vector{pad}, {}, pieces).error().message,
              HasSubstr("token 0 (PAD_None) breaks the grammar"));
  const FakeModel model(10, 64);
  EXPECT_THAT(Generate(model, *tokenizer_, {}, {}, {}, NoProgress()).error().message,
              HasSubstr("the model has 10 tokens, its tokenizer"));
  EXPECT_TRUE(pieces.empty());
}

TEST_P(GenerateTest, StopsWhenAskedAndKeepsCompletePieces) {
  Pieces pieces;
  const StopToken after_first([&] { return !pieces.empty(); });
  ASSERT_TRUE(Run(1024, {}, {.bars = 2, .count = 50, .batch = 1, .stop = after_first}, pieces).ok());
  EXPECT_EQ(pieces.size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Kinds, GenerateTest, ::testing::Values("remi", "midilike"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace continuo
