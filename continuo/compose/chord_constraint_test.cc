#include "continuo/compose/chord_constraint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "continuo/compose/composer.h"
#include "continuo/compose/crowded_bar.h"
#include "continuo/compose/fake_model_testing.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

/// A chord progression, and the chords of a piece that follows it.
class ChordConstraintTest : public ::testing::Test {
 protected:
  using Markers = std::vector<std::pair<Tick, std::string>>;  // in 32nd notes

  ChordConstraintTest() : model_(LoadFakeModel("remichord", 256)) {}

  WrittenPiece Write(const Request& request, const ComposeOptions& options) {
    const Result<std::vector<WrittenPiece>> pieces = Composer(model_).Write(request, options);
    EXPECT_TRUE(pieces.ok()) << pieces.error().ToString();
    const std::unique_ptr<Grammar> grammar = model_.tokenizer->NewGrammar();
    for (const TokenId id : pieces->front().generated.ids) {
      EXPECT_TRUE(grammar->Advance(id)) << model_.tokenizer->vocabulary().token(id);
    }
    return pieces->front();
  }

  /// The chords that the ids of a piece have.
  Markers Chords(const WrittenPiece& written) {
    const Score score = model_.tokenizer->Decode(std::vector<std::vector<TokenId>>(1, written.generated.ids));
    Markers markers;
    for (const TextEvent& marker : score.markers) {
      markers.emplace_back(marker.time / (score.ticks_per_quarter / 8), marker.text);
    }
    return markers;
  }

  Markers ChordsOfNewPiece(const char* progression, size_t bars, ComposeOptions options = {}) {
    options.chords = *ParseChordProgression(progression);
    return Chords(Write(NewRequest{.bars = bars}, options));
  }

  LoadedModel model_;
};

TEST_F(ChordConstraintTest, ChordsAreWhereTheProgressionHasThemAndNowhereElse) {
  EXPECT_THAT(ChordsOfNewPiece("C | Am G7 | F", 5),
              ElementsAre(Pair(0, "C_M"), Pair(32, "A_m"), Pair(48, "G_7"), Pair(64, "F_M"), Pair(96, "C_M"),
                          Pair(128, "A_m"), Pair(144, "G_7")));
}

TEST_F(ChordConstraintTest, AChordInForceIsNotRepeated) {
  EXPECT_THAT(ChordsOfNewPiece("C C | C | F F C", 4),
              ElementsAre(Pair(0, "C_M"), Pair(64, "F_M"), Pair(64 + 21, "C_M")));
}

TEST_F(ChordConstraintTest, TheProgressionHoldsThroughWindowsAndRetries) {
  const Markers chords =
      ChordsOfNewPiece("C | F", 24, {.guards = {.silent_bars = 0, .notes_at_once = 3}, .retries = 5});
  ASSERT_EQ(chords.size(), 24U);
  for (size_t bar = 0; bar < 24; ++bar) {
    EXPECT_EQ(chords[bar], std::pair(static_cast<Tick>(32 * bar), std::string(bar % 2 == 0 ? "C_M" : "F_M")));
  }
}

TEST_F(ChordConstraintTest, InAContinuationTheProgressionBeginsWithTheFirstNewBar) {
  Score song;
  song.tracks.resize(1);
  for (Tick beat = 0; beat < 12; ++beat) {
    song.tracks[0].notes.push_back({beat * 480, 400, 60, 80});
  }
  const WrittenPiece written = Write(ContinueRequest{.piece = MidiPiece(song), .prompt_bars = 3, .bars = 3},
                                     {.chords = *ParseChordProgression("Bdim | F | Bdim | F")});
  Markers chords = Chords(written);
  std::erase_if(chords, [](const auto& marker) { return marker.first < 3 * 32; });
  EXPECT_THAT(chords, ElementsAre(Pair(96, "B_o"), Pair(128, "F_M"), Pair(160, "B_o")));
}

TEST_F(ChordConstraintTest, ABarWithSeveralChordsIsNoLongerThanOthers) {
  // The model prefers to move on, so that its bars are short.
  std::vector<float> bias(model_.tokenizer->vocabulary().size(), 0.0F);
  for (const TokenType type : {TokenType::kPosition, TokenType::kBar}) {
    const IdRange ids = model_.tokenizer->vocabulary().range(type);
    std::fill_n(bias.begin() + ids.first, ids.count, 4.0F);
  }
  model_ = LoadFakeModel("remichord", 256, bias);
  const WrittenPiece written = Write(NewRequest{.bars = 6}, {.chords = *ParseChordProgression("C G | Am F Dm G7")});
  const std::vector<size_t> offsets = model_.tokenizer->BarOffsets(written.generated.ids);
  ASSERT_EQ(offsets.size(), 6U);
  for (size_t bar = 1; bar < offsets.size(); ++bar) {
    EXPECT_LT(offsets[bar] - offsets[bar - 1], CrowdedBarConstraint::kDefaultLimit / 2);
  }
}

TEST_F(ChordConstraintTest, ChordsAndTempoHoldTogether) {
  EXPECT_THAT(ChordsOfNewPiece("C | G", 3, {.seed = 3, .bpm = 90}),
              ElementsAre(Pair(0, "C_M"), Pair(32, "G_M"), Pair(64, "C_M")));
  const WrittenPiece written = Write(NewRequest{.bars = 3}, {.chords = *ParseChordProgression("C | G"), .bpm = 90});
  EXPECT_EQ(written.piece.score().tempos, (std::vector<Tempo>{{.time = 0, .us_per_quarter = 666667}}));
}

TEST(ParseChordProgression, ReadsBarsBetweenStrokes) {
  const Result<ChordProgression> chords = ParseChordProgression(" C |Am  G7| N ");
  ASSERT_TRUE(chords.ok());
  ASSERT_EQ(chords->size(), 3U);
  EXPECT_EQ((*chords)[1].size(), 2U);
  EXPECT_EQ((*chords)[1][1].Text(), "G_7");
  EXPECT_TRUE((*chords)[2][0].none());
}

TEST(ParseChordProgression, NamesTheBarThatIsWrong) {
  EXPECT_THAT(ParseChordProgression("C | | F").error().message, HasSubstr("bar 2 is empty"));
  EXPECT_THAT(ParseChordProgression("").error().message, HasSubstr("bar 1 is empty"));
  EXPECT_THAT(ParseChordProgression("C | Q7").error().message, HasSubstr("bar 2 has 'Q7'"));
}

TEST(ChordConstraint, NeedsATokenizerWithChords) {
  const auto tokenizer = std::move(*Tokenizer::Load("remi"));
  EXPECT_THAT(ChordConstraint::Create(*ParseChordProgression("C"), *tokenizer).error().ToString(),
              HasSubstr("need a model of the tokenizer remichord"));
}

TEST(ChordConstraint, NeedsAPositionForEachChord) {
  const auto tokenizer = std::move(*Tokenizer::Load("remichord"));
  const ChordProgression crowded = {std::vector<Chord>(33)};
  EXPECT_THAT(ChordConstraint::Create(crowded, *tokenizer).error().message,
              HasSubstr("bar 1 has 33 of them, expected 1 to 32"));
}

}  // namespace
}  // namespace continuo
