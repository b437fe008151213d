#include "continuo/compose/repeat_constraint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <string>
#include <utility>

#include "continuo/compose/composer.h"
#include "continuo/compose/fake_model_testing.h"
#include "continuo/score/bars.h"

namespace continuo {
namespace {

/// Pieces of a model that says anything, so that what returns is the constraint's doing.
class RepeatConstraintTest : public ::testing::Test {
 protected:
  RepeatConstraintTest() : model_(LoadFakeModel("remiplan", 1024)) {
    // Few notes at a position and in a bar, for random bars go on until they are crowded; and bars
    // of one length, for a shorter one has no place for all notes of a longer one.
    const Vocabulary& vocabulary = model_.tokenizer->vocabulary();
    std::vector<float> bias(vocabulary.size());
    const auto favour = [&](const IdRange& ids, float by) { std::fill_n(bias.begin() + ids.first, ids.count, by); };
    favour(vocabulary.range(TokenType::kBar), 6.0F);
    favour(vocabulary.range(TokenType::kPosition), 7.0F);
    bias[static_cast<size_t>(vocabulary.Find("TimeSig_4/4").value())] = 50.0F;
    model_ = LoadFakeModel("remiplan", 1024, std::move(bias));
  }

  struct Bar {
    int repeat = -1;
    std::set<std::pair<int, TokenId>> notes;  // position and pitch token
  };

  std::vector<Bar> Write(size_t count, double recall, const char* form = "") const {
    ComposeOptions options{.seed = 3, .sampling = SamplingOptions{.recall = recall}};
    EXPECT_TRUE(SetPlanField("form", form, options.plan).ok());
    const Result<std::vector<WrittenPiece>> pieces = Composer(model_).Write(NewRequest{.bars = count}, options);
    EXPECT_TRUE(pieces.ok()) << pieces.error().ToString();
    const std::unique_ptr<Grammar> grammar = model_.tokenizer->NewGrammar();
    std::vector<Bar> bars;
    int position = 0;
    for (const TokenId id : pieces->front().generated.ids) {
      EXPECT_TRUE(grammar->Advance(id)) << model_.tokenizer->vocabulary().token(id);
      const TokenInfo& info = model_.tokenizer->vocabulary().info(id);
      switch (info.type) {
        case TokenType::kBar:
          bars.emplace_back();
          break;
        case TokenType::kRepeat:
          bars.back().repeat = info.value;
          break;
        case TokenType::kPosition:
          position = info.value;
          break;
        case TokenType::kPitch:
        case TokenType::kPitchDrum:
          bars.back().notes.emplace(position, id);
          break;
        default:
          break;
      }
    }
    EXPECT_EQ(bars.size(), count);
    return bars;
  }

  /// The share of the notes of bars that the bars repeating them have.
  static double Returning(const std::vector<Bar>& bars) {
    size_t notes = 0, returning = 0;
    for (size_t bar = 0; bar < bars.size(); ++bar) {
      if (bars[bar].repeat > 0) {
        for (const auto& note : bars[bar - static_cast<size_t>(bars[bar].repeat)].notes) {
          ++notes;
          returning += bars[bar].notes.count(note);
        }
      }
    }
    EXPECT_GT(notes, 40U);
    return static_cast<double>(returning) / static_cast<double>(notes);
  }

  LoadedModel model_;
};

TEST_F(RepeatConstraintTest, EverythingReturnsAtOneAndNothingElse) {
  const std::vector<Bar> bars = Write(64, 1.0, "A16 B16 A16 B16");
  EXPECT_EQ(Returning(bars), 1.0);
  for (size_t bar = 0; bar < bars.size(); ++bar) {
    if (bars[bar].repeat > 0) {
      EXPECT_EQ(bars[bar].notes, bars[bar - static_cast<size_t>(bars[bar].repeat)].notes) << bar;
    }
  }
}

TEST_F(RepeatConstraintTest, OthersTakeThePlaceOfNotesThatDoNotReturn) {
  const std::vector<Bar> bars = Write(64, 0.6, "A16 B16 A16 B16");
  for (size_t bar = 0; bar < bars.size(); ++bar) {
    if (bars[bar].repeat > 0) {
      const size_t notes = bars[bar - static_cast<size_t>(bars[bar].repeat)].notes.size();
      EXPECT_TRUE(bars[bar].notes.size() <= notes || notes == 0) << bar;
    }
  }
}

TEST_F(RepeatConstraintTest, TheShareAskedForReturns) {
  // The shares of 32 bars are uniform in [0.6, 1]: a deviation of 0.02 of their mean. Beyond five
  // of these there is what the model repeats by chance.
  EXPECT_NEAR(Returning(Write(64, 0.8, "A16 B16 A16 B16")), 0.8, 0.1);
  EXPECT_LT(Returning(Write(64, 0.0, "A16 B16 A16 B16")), 0.1);
}

TEST_F(RepeatConstraintTest, EachBarSaysWhichBarOfThePieceItRepeats) {
  const std::vector<Bar> bars = Write(64, 1.0);
  for (size_t bar = 0; bar < bars.size(); ++bar) {
    EXPECT_GE(bars[bar].repeat, 0) << bar;
    EXPECT_LE(bars[bar].repeat, static_cast<int>(bar)) << bar;
  }
  EXPECT_EQ(Returning(bars), 1.0);
}

TEST_F(RepeatConstraintTest, NotesOfThePromptReturn) {
  Score song;
  song.tracks.resize(1);
  for (Tick beat = 0; beat < 16; ++beat) {
    song.tracks[0].notes.push_back({beat * 480, 400, static_cast<uint8_t>(50 + beat), 80});
  }
  ComposeOptions options{.sampling = SamplingOptions{.recall = 1.0}};
  ASSERT_TRUE(SetPlanField("form", "A4 | A4", options.plan).ok());
  const Result<std::vector<WrittenPiece>> pieces =
      Composer(model_).Write(ContinueRequest{.piece = MidiPiece(song), .prompt_bars = 4, .bars = 4}, options);
  ASSERT_TRUE(pieces.ok()) << pieces.error().ToString();
  std::set<std::pair<Tick, int>> notes;
  for (const Track& track : pieces->front().piece.score().tracks) {
    for (const Note& note : track.notes) {
      notes.emplace(note.time, note.pitch);
    }
  }
  for (const Note& note : song.tracks[0].notes) {
    EXPECT_TRUE(notes.contains({note.time + 16 * 480, note.pitch})) << note.time;
  }
}

TEST_F(RepeatConstraintTest, LimitsHoldWhereNotesReturn) {
  ComposeOptions options{.sampling = SamplingOptions{.recall = 1.0}};
  ASSERT_TRUE(SetPlanField("form", "A8 B8 A8", options.plan).ok());
  ASSERT_TRUE(AddLimit("max_notes", "4@17-24", options.limits).ok());
  const Result<std::vector<WrittenPiece>> pieces = Composer(model_).Write(NewRequest{.bars = 24}, options);
  ASSERT_TRUE(pieces.ok()) << pieces.error().ToString();
  const Score& score = pieces->front().piece.score();
  const BarGrid grid(score);
  std::vector<size_t> notes(24);
  for (const Note& note : score.tracks.at(0).notes) {
    ++notes.at(grid.BarAt(note.time));
  }
  for (size_t bar = 16; bar < 24; ++bar) {
    EXPECT_LE(notes[bar], 4U) << bar;
  }
}

TEST_F(RepeatConstraintTest, ABarThatRepeatsASilentOneIsTheModels) {
  const Vocabulary& vocabulary = model_.tokenizer->vocabulary();
  const auto after = [&](const char* tokens) {
    RepeatConstraint constraint(*model_.tokenizer, 1.0);
    std::istringstream words(tokens);
    for (std::string word; words >> word;) {
      constraint.Advance(vocabulary.Find(word).value());
    }
    std::vector<uint8_t> allowed(vocabulary.size(), 1);
    const IdRange repeats = vocabulary.range(TokenType::kRepeat);
    std::fill_n(allowed.begin() + repeats.first, repeats.count, uint8_t{0});
    constraint.Restrict(allowed);
    return [allowed, &vocabulary](const char* token) {
      return allowed[static_cast<size_t>(vocabulary.Find(token).value())] != 0;
    };
  };
  const auto silent =
      after("Bar_None TimeSig_4/4 Repeat_0 Position_0 Chord_C_M Bar_None TimeSig_4/4 Repeat_1 Position_0");
  EXPECT_TRUE(silent("Pitch_60"));
  EXPECT_TRUE(silent("Position_8"));
  // Where notes return, drums are as little the model's choice as other notes.
  const auto one_note = after(
      "Bar_None TimeSig_4/4 Repeat_0 Position_8 Pitch_60 Velocity_63 Duration_1.0.8 Bar_None TimeSig_4/4 Repeat_1 "
      "Position_0");
  EXPECT_FALSE(one_note("Pitch_60"));
  EXPECT_FALSE(one_note("PitchDrum_60"));
  EXPECT_TRUE(one_note("Position_8"));
}

TEST_F(RepeatConstraintTest, ModelsWithoutRepeatsAreNamed) {
  const LoadedModel remi = LoadFakeModel("remi");
  const Status status = Composer(remi).Check(NewRequest{}, {.sampling = SamplingOptions{.recall = 0.5}});
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().ToString(), ::testing::HasSubstr("recall is 0.5, but the model's tokens (REMI)"));
}

}  // namespace
}  // namespace continuo
