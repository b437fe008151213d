#include "continuo/compose/id_mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "continuo/compose/composer.h"
#include "continuo/compose/crowded_bar.h"
#include "continuo/compose/fake_model_testing.h"
#include "continuo/compose/likelihood.h"
#include "continuo/compose/limit_constraint.h"
#include "continuo/compose/music_limits_testing.h"
#include "continuo/compose/pitch_constraint.h"
#include "continuo/compose/sliding_window.h"
#include "continuo/compose/tempo_constraint.h"
#include "continuo/compose/tempo_range.h"
#include "continuo/core/rng.h"
#include "continuo/score/bars.h"
#include "continuo/score/score_file.h"
#include "continuo/token/trained_vocabulary.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

const fs::path kTrained = fs::path(CONTINUO_SOURCE_DIR) / "testdata" / "tokens" / "trained";

std::unique_ptr<Tokenizer> Trained(const std::string& name) {
  return Tokenizer::LoadPlainOrTrained((kTrained / (name + ".json")).string()).value();
}

LoadedModel TrainedFake(const std::string& name, size_t context_length = 256) {
  LoadedModel loaded;
  loaded.tokenizer = Trained(name);
  loaded.model = std::make_unique<FakeModel>(loaded.tokenizer->model_size(), context_length);
  return loaded;
}

// What IdMask says by definition: each id's tokens one after the other, with all constraints.
bool MayCome(const ConstraintList& constraints, const Tokenizer& tokenizer, TokenId id) {
  ConstraintList list = constraints;
  std::vector<uint8_t> mask(tokenizer.vocabulary().size());
  for (const TokenId token : tokenizer.trained()->Tokens(id)) {
    list.Restrict(mask);
    if (mask[static_cast<size_t>(token)] == 0) {
      return false;
    }
    list.Take(token);
  }
  return true;
}

struct Walk {
  std::vector<TokenId> tokens;
  bool complete = false;
  int compared = 0;
  std::string error;
};

// Draws ids at random; every `every`-th mask is compared with the definition.
Walk RunWalk(const Tokenizer& tokenizer, ConstraintList list, size_t bars, Rng rng, IdMask& mask, int every) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  const TrainedVocabulary& trained = *tokenizer.trained();
  std::vector<uint8_t> allowed(tokenizer.model_size());
  std::vector<uint8_t> token_allowed(vocabulary.size());
  Walk walk;
  EXPECT_TRUE(list.SetTarget({bars}));
  bool after_mark = false;
  const auto take = [&](TokenId token) {
    list.Take(token);
    const bool closes =
        token == vocabulary.eos() || (list.complete() && vocabulary.info(token).type == TokenType::kBar);
    if (!closes) {
      walk.tokens.push_back(token);
    }
    walk.complete = list.complete();
  };
  for (int step = 0; !walk.complete; ++step) {
    if (walk.tokens.size() > 20000) {
      walk.error = "no end";
      return walk;
    }
    if (!mask.Restrict(list, {}, after_mark, allowed)) {
      list.Restrict(token_allowed);
      take(static_cast<TokenId>(std::find(token_allowed.begin(), token_allowed.end(), 1) - token_allowed.begin()));
      continue;
    }
    if (step % every == 0) {
      for (size_t id = 0; id < allowed.size(); ++id) {
        const auto known = static_cast<TokenId>(id);
        if (!trained.Tokens(known).empty() && MayCome(list, tokenizer, known) != (allowed[id] != 0)) {
          walk.error = fmt::format("step {}: id {} ({}) is {}", step, id, trained.Name(known),
                                   allowed[id] != 0 ? "allowed" : "forbidden");
          return walk;
        }
      }
      ++walk.compared;
    }
    const auto count = static_cast<uint64_t>(std::count(allowed.begin(), allowed.end(), 1));
    uint64_t nth = rng.NextBelow(count);
    size_t id = 0;
    while (allowed[id] == 0 || nth-- > 0) {
      ++id;
    }
    const auto tokens = trained.Tokens(static_cast<TokenId>(id));
    after_mark = tokens.empty();
    for (const TokenId token : tokens) {
      take(token);
    }
  }
  return walk;
}

size_t NotesOf(const std::vector<TokenId>& tokens, const Vocabulary& vocabulary) {
  return static_cast<size_t>(
      std::count_if(tokens.begin(), tokens.end(), [&](TokenId token) { return vocabulary.begins_note(token); }));
}

size_t NotesOf(const Score& score) {
  size_t notes = 0;
  for (const Track& track : score.tracks) {
    notes += track.notes.size();
  }
  return notes;
}

class IdMaskTest : public testing::TestWithParam<std::string> {
 protected:
  const std::unique_ptr<Tokenizer> tokenizer_ = Trained(GetParam());

  void Walks(const std::vector<std::shared_ptr<TokenConstraint>>& constraints, size_t walks, int every) {
    IdMask mask(*tokenizer_);
    for (size_t i = 0; i < walks; ++i) {
      ConstraintList list(tokenizer_->NewGrammar());
      for (const auto& constraint : constraints) {
        list.Add(*constraint);
      }
      const size_t bars = 1 + i % 4;
      const Walk walk = RunWalk(*tokenizer_, std::move(list), bars, Rng(3, i), mask, every);
      ASSERT_EQ(walk.error, "") << "walk " << i;
      ASSERT_TRUE(walk.complete);
      ASSERT_GT(walk.compared, 0);
      const Score score = tokenizer_->Decode(std::vector(1, walk.tokens));
      ASSERT_EQ(NotesOf(score), NotesOf(walk.tokens, tokenizer_->vocabulary())) << "walk " << i;
      std::unique_ptr<Grammar> grammar = tokenizer_->NewGrammar({bars});
      for (const TokenId token : walk.tokens) {
        ASSERT_TRUE(grammar->Advance(token));
      }
      ASSERT_EQ(grammar->bars(), bars) << "walk " << i;
    }
  }
};

TEST_P(IdMaskTest, AnIdMayComeIfItsTokensMay) {
  Walks({}, 12, 7);
}

TEST_P(IdMaskTest, ConstraintsHoldWithinIds) {
  const Vocabulary& vocabulary = tokenizer_->vocabulary();
  Walks({std::make_shared<CrowdedBarConstraint>(vocabulary), std::make_shared<PitchConstraint>(*tokenizer_),
         std::make_shared<TempoRangeConstraint>(vocabulary, 90, 130)},
        8, 7);
  Walks({std::make_shared<CrowdedBarConstraint>(vocabulary, 20),
         std::make_shared<PitchConstraint>(*tokenizer_, std::vector<HeldPitch>{{0, 60, 0, 20}, {0, 64, 0, 9}})},
        8, 7);
  if (const auto tempo = TempoConstraint::Create(100, *tokenizer_); tempo.ok()) {
    Walks({std::make_shared<CrowdedBarConstraint>(vocabulary), std::make_shared<TempoConstraint>(*tempo)}, 8, 7);
  }
}

TEST_P(IdMaskTest, LimitsOfNotesHoldWithinIds) {
  using Texts = std::vector<std::pair<std::string, std::string>>;
  const Texts pitches = {{"scale", "C major"}, {"range", "C3:C6"}};
  Texts all = pitches;
  all.insert(all.end(), {{"max_notes", "9"}, {"max_polyphony", "4"}, {"range", "C3:C5@3"}});
  IdMask mask(*tokenizer_);
  for (const Texts& texts : {pitches, all}) {
    const auto limit = LimitConstraint::Create(Limits(texts), *tokenizer_, {.first_bar = 0, .bars = 3});
    ASSERT_TRUE(limit.ok()) << limit.error().ToString();
    for (size_t i = 0; i < 6; ++i) {
      ConstraintList list(tokenizer_->NewGrammar());
      list.Add(CrowdedBarConstraint(tokenizer_->vocabulary()));
      list.Add(*limit);
      list.Add(PitchConstraint(*tokenizer_));
      list.BeginBar(0);
      const Walk walk = RunWalk(*tokenizer_, std::move(list), 3, Rng(5, i), mask, 7);
      ASSERT_EQ(walk.error, "") << "walk " << i;
      const Score score = tokenizer_->Decode(std::vector(1, walk.tokens));
      ASSERT_EQ(NotesOf(score), NotesOf(walk.tokens, tokenizer_->vocabulary())) << "walk " << i;
      for (const Track& track : score.tracks) {
        for (const Note& note : track.notes) {
          if (!track.is_drum) {
            ASSERT_TRUE(note.pitch >= 48 && note.pitch <= 84) << int{note.pitch};
            constexpr unsigned kCMajor = 0b101010110101;
            ASSERT_NE(kCMajor >> note.pitch % 12 & 1u, 0u) << int{note.pitch};
          }
        }
      }
    }
  }
}

TEST_P(IdMaskTest, TokensThatHaveBegunGoOn) {
  IdMask mask(*tokenizer_);
  const TrainedVocabulary& trained = *tokenizer_->trained();
  std::vector<uint8_t> allowed(trained.size());
  const Walk walk = RunWalk(*tokenizer_, ConstraintList(tokenizer_->NewGrammar()), 3, Rng(4, 0), mask, 1000);
  ConstraintList list(tokenizer_->NewGrammar());
  for (size_t i = 0; i + 1 < walk.tokens.size() && i < 40; ++i) {
    const std::vector<TokenId> begun(1, walk.tokens[i]);
    const ConstraintList before = list;
    list.Take(walk.tokens[i]);
    const bool any = mask.Restrict(list, begun, true, allowed);
    for (size_t id = 0; id < allowed.size(); ++id) {
      const auto tokens = trained.Tokens(static_cast<TokenId>(id));
      const bool goes_on = !tokens.empty() && tokens[0] == begun[0];
      EXPECT_EQ(allowed[id] != 0, goes_on && MayCome(before, *tokenizer_, static_cast<TokenId>(id)))
          << i << ": " << trained.Name(static_cast<TokenId>(id));
    }
    EXPECT_EQ(any, std::find(allowed.begin(), allowed.end(), 1) != allowed.end());
  }
}

// The words that are found in the tokens are those that are found in the score, but for the last.
TEST_P(IdMaskTest, TokensBecomeTheIdsOfTheirScore) {
  int compared = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(CONTINUO_SOURCE_DIR) / "examples" / "corpus")) {
    const auto score = ReadScore(entry.path());
    if (!score.ok()) {
      continue;
    }
    const auto streams = tokenizer_->Encode(*score);
    const auto ids = tokenizer_->EncodeForModel(*score);
    for (size_t i = 0; i < streams.size(); ++i) {
      const std::vector<TokenId> again = tokenizer_->ToModelIds(streams[i]);
      // 3.0.4 has no id for what its files did not have.
      EXPECT_EQ(tokenizer_->FromModelIds(ids[i]), tokenizer_->FromModelIds(again));
      const size_t common = static_cast<size_t>(
          std::mismatch(again.begin(), again.end(), ids[i].begin(), ids[i].end()).first - again.begin());
      EXPECT_GE(static_cast<double>(common), 0.95 * static_cast<double>(ids[i].size())) << entry.path();
      ++compared;
    }
    if (compared > 6) {
      break;
    }
  }
  EXPECT_GT(compared, 0);
}

TEST_P(IdMaskTest, ComposerWritesWholeBarsInAnySizeOfWindow) {
  for (const size_t context : {size_t{48}, size_t{512}}) {
    const LoadedModel model = TrainedFake(GetParam(), context);
    ComposeOptions options;
    options.count = 3;
    options.retries = 1;
    const auto pieces = Composer(model).Write(NewRequest{3}, options).value();
    ASSERT_EQ(pieces.size(), 3u);
    for (const WrittenPiece& written : pieces) {
      const std::vector<TokenId>& tokens = written.generated.ids;
      const Score score = model.tokenizer->Decode(std::vector(1, tokens));
      EXPECT_EQ(NotesOf(score), NotesOf(tokens, model.tokenizer->vocabulary()));
      EXPECT_EQ(CountBars(written.piece.score()), 3u);
      EXPECT_GT(written.new_notes, 0u);
    }
    // A piece is the same in any batch.
    options.batch = 1;
    options.count = 1;
    const auto alone = Composer(model).Write(NewRequest{3}, options).value();
    EXPECT_EQ(alone[0].generated.ids, pieces[0].generated.ids);

    const auto continued = Composer(model).Write(ContinueRequest{pieces[0].piece, 2, 2}).value();
    EXPECT_EQ(CountBars(continued[0].piece.score()), 4u);
    const auto filled = Composer(model).Write(FillRequest{pieces[0].piece, 1, 2}).value();
    EXPECT_EQ(CountBars(filled[0].piece.score()), 3u);
    EXPECT_TRUE(filled[0].following_nll.has_value());
  }
}

TEST_P(IdMaskTest, LikelihoodIsOfTheIdsThatTheModelReads) {
  const LoadedModel model = TrainedFake(GetParam(), 4096);
  const auto written = Composer(model).Write(NewRequest{3}).value();
  const std::vector<TokenId> ids = model.tokenizer->ToModelIds(written[0].generated.ids);
  const Likelihood likelihood = MeasureLikelihood(*model.model, *model.tokenizer, ids, NoProgress()).value();
  EXPECT_EQ(likelihood.token_nll.size(), ids.size());
  EXPECT_EQ(likelihood.bar_offsets.size(), model.tokenizer->BarOffsets(written[0].generated.ids).size());
  EXPECT_EQ(likelihood.notes, NotesOf(written[0].generated.ids, model.tokenizer->vocabulary()));
}

INSTANTIATE_TEST_SUITE_P(Files, IdMaskTest,
                         testing::Values("remi_bar-3.1.0", "remi_beat-3.1.0", "tsd_beat-3.1.0", "midilike_bar-3.1.0",
                                         "midilike_no-3.1.0", "programs_bar-3.1.0", "remi_bar-3.0.4", "tsd_beat-3.0.4"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace_if(name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
                           return name;
                         });

}  // namespace
}  // namespace continuo
