#include "continuo/compose/chord_recall.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "continuo/compose/composer.h"
#include "continuo/compose/fake_model_testing.h"
#include "continuo/core/rng.h"

namespace continuo {
namespace {

class ChordRecallTest : public ::testing::Test {
 protected:
  ChordRecallTest() : model_(LoadFakeModel("remiplan")) {}

  const Vocabulary& vocabulary() const { return model_.tokenizer->vocabulary(); }

  static void Advance(ChordRecallConstraint& constraint, const Vocabulary& vocabulary, const std::string& tokens) {
    std::istringstream words(tokens);
    for (std::string word; words >> word;) {
      constraint.Advance(vocabulary.Find(word).value());
    }
  }

  std::vector<uint8_t> Allowed(const ChordRecallConstraint& constraint) const {
    std::vector<uint8_t> allowed(vocabulary().size(), 1);
    constraint.Restrict(allowed);
    return allowed;
  }

  /// The chord that must come next, if one must.
  std::optional<TokenId> Demanded(const ChordRecallConstraint& constraint) const {
    const std::vector<uint8_t> allowed = Allowed(constraint);
    if (std::count(allowed.begin(), allowed.end(), 1) != 1) {
      return std::nullopt;
    }
    return static_cast<TokenId>(std::find(allowed.begin(), allowed.end(), 1) - allowed.begin());
  }

  /// Bars with a chord each, all of them different.
  void AddBars(ChordRecallConstraint& constraint, int count) const {
    const IdRange chords = vocabulary().range(TokenType::kChord);
    for (int bar = 0; bar < count; ++bar) {
      Advance(constraint, vocabulary(), "Bar_None TimeSig_4/4 Repeat_0 Position_0");
      constraint.Advance(chords.first + bar % chords.count);
    }
  }

  LoadedModel model_;
};

TEST_F(ChordRecallTest, TheShareAskedForReturnsFrom4Or8Or16BarsBefore) {
  const IdRange chords = vocabulary().range(TokenType::kChord);
  constexpr int kBars = 20000;
  ChordRecallConstraint constraint(*model_.tokenizer, 0.25);
  Rng rng(5, 0);
  std::vector<TokenId> written;
  std::map<size_t, int> distances;
  for (int bar = 0; bar < kBars; ++bar) {
    Advance(constraint, vocabulary(), "Bar_None TimeSig_4/4 Repeat_0 Position_0");
    if (const std::optional<TokenId> demanded = Demanded(constraint)) {
      const size_t distance = *demanded == written.at(written.size() - 4)   ? 4
                              : *demanded == written.at(written.size() - 8) ? 8
                                                                            : 16;
      EXPECT_EQ(*demanded, written.at(written.size() - distance)) << bar;
      ++distances[distance];
    }
    // What the constraint demands need not be what comes.
    written.push_back(chords.first + static_cast<TokenId>(rng.NextBelow(chords.count)));
    constraint.Advance(written.back());
  }
  // 3,000 draws decide on runs of bars whose length is geometric, 20 / 3 on average; a quarter of
  // the runs return, so that the bars of one have the variance 0.25 (37.8 + 44.4) - 1.67^2 = 17.8
  // and the share the deviation sqrt(3000 * 17.8) / 20000 = 0.0116. Five of these.
  const double returning = static_cast<double>(distances[4] + distances[8] + distances[16]) / kBars;
  EXPECT_NEAR(returning, 0.25, 0.058);
  EXPECT_GT(distances[4], distances[16]);
  EXPECT_GT(distances[8], distances[16]);
  EXPECT_GT(distances[16], 0);
}

TEST_F(ChordRecallTest, ChordsReturnAtTheirPositionsAndNoOthersCome) {
  ChordRecallConstraint constraint(*model_.tokenizer, 1.0);
  AddBars(constraint, 3);
  for (int bar = 3; bar < 20; ++bar) {
    Advance(constraint, vocabulary(),
            "Bar_None TimeSig_4/4 Repeat_0 Position_0 Chord_C_M Pitch_60 Velocity_63 Duration_1.0.8 Position_16 "
            "Chord_G_M");
  }
  Advance(constraint, vocabulary(), "Bar_None TimeSig_4/4 Repeat_0");
  const auto id = [&](const char* token) { return static_cast<size_t>(vocabulary().Find(token).value()); };
  std::vector<uint8_t> allowed = Allowed(constraint);
  EXPECT_EQ(allowed[id("Position_0")], 1);
  EXPECT_EQ(allowed[id("Position_1")], 0) << "passes the first chord";
  Advance(constraint, vocabulary(), "Position_0");
  EXPECT_EQ(Demanded(constraint), vocabulary().Find("Chord_C_M"));
  Advance(constraint, vocabulary(), "Chord_C_M");
  allowed = Allowed(constraint);
  EXPECT_EQ(allowed[id("Pitch_64")], 1) << "notes are the model's";
  EXPECT_EQ(allowed[id("Chord_G_M")], 0) << "not due yet";
  EXPECT_EQ(allowed[id("Position_16")], 1);
  EXPECT_EQ(allowed[id("Position_17")], 0);
  EXPECT_EQ(allowed[id("Bar_None")], 0);
  Advance(constraint, vocabulary(), "Position_16");
  EXPECT_EQ(Demanded(constraint), vocabulary().Find("Chord_G_M"));
  Advance(constraint, vocabulary(), "Chord_G_M");
  allowed = Allowed(constraint);
  EXPECT_EQ(allowed[id("Bar_None")], 1);
  EXPECT_EQ(allowed[id("Chord_F_M")], 0);
}

TEST_F(ChordRecallTest, AChordThatLastsIntoABarReturnsAtItsStart) {
  ChordRecallConstraint constraint(*model_.tokenizer, 1.0);
  AddBars(constraint, 2);
  // From bar 2 on every second bar has no chord of its own: the one before lasts.
  for (int pair = 0; pair < 9; ++pair) {
    Advance(constraint, vocabulary(), "Bar_None TimeSig_4/4 Repeat_0 Position_0 Chord_C_M");
    Advance(constraint, vocabulary(), "Bar_None TimeSig_4/4 Repeat_0 Position_0");
  }
  Advance(constraint, vocabulary(), "Bar_None TimeSig_4/4 Repeat_0 Position_0 Chord_F_M");
  Advance(constraint, vocabulary(), "Bar_None TimeSig_4/4 Repeat_0 Position_0");
  EXPECT_EQ(Demanded(constraint), vocabulary().Find("Chord_C_M"));
}

TEST_F(ChordRecallTest, BarsThatRepeatOthersOrHaveAnotherSignatureAreLeftAlone) {
  for (const char* beginning : {"TimeSig_4/4 Repeat_4", "TimeSig_3/4 Repeat_0"}) {
    ChordRecallConstraint constraint(*model_.tokenizer, 1.0);
    AddBars(constraint, 20);
    Advance(constraint, vocabulary(), "Bar_None");
    Advance(constraint, vocabulary(), beginning);
    Advance(constraint, vocabulary(), "Position_0");
    const std::vector<uint8_t> allowed = Allowed(constraint);
    EXPECT_EQ(std::count(allowed.begin(), allowed.end(), 0), 0) << beginning;
  }
}

TEST_F(ChordRecallTest, PiecesFollowIt) {
  const auto returning = [&](double share) {
    const ComposeOptions options{.seed = 2, .sampling = SamplingOptions{.chord_recall = share}};
    const Result<std::vector<WrittenPiece>> pieces = Composer(model_).Write(NewRequest{.bars = 48}, options);
    EXPECT_TRUE(pieces.ok()) << pieces.error().ToString();
    std::vector<std::map<int, TokenId>> bars;  // chords by position
    std::vector<bool> repeats;
    TokenId in_force = kNoToken;
    int position = 0;
    for (const TokenId id : pieces->front().generated.ids) {
      const TokenInfo& info = vocabulary().info(id);
      if (info.type == TokenType::kBar) {
        bars.push_back({{0, in_force}});
        repeats.push_back(false);
      } else if (info.type == TokenType::kRepeat) {
        repeats.back() = info.value != kNoRepeat;
      } else if (info.type == TokenType::kPosition) {
        position = info.value;
      } else if (info.type == TokenType::kChord) {
        in_force = bars.back()[position] = id;
      }
    }
    std::pair<size_t, size_t> count;  // bars that may return, and those that do
    for (size_t bar = 16; bar < bars.size(); ++bar) {
      if (!repeats[bar]) {
        ++count.first;
        count.second += bars[bar] == bars[bar - 4] || bars[bar] == bars[bar - 8] || bars[bar] == bars[bar - 16] ? 1 : 0;
      }
    }
    return count;
  };
  // The fake model draws signatures at random too, and bars of another one don't return.
  const auto [bars, return_of] = returning(1.0);
  EXPECT_GT(return_of, 0U);
  EXPECT_GT(bars, 0U);
  EXPECT_EQ(returning(0.0).second, 0U);
}

TEST_F(ChordRecallTest, ChordsThatAreAskedForHavePriority) {
  ComposeOptions options{.sampling = SamplingOptions{.chord_recall = 1.0}};
  options.chords = *ParseChordProgression("C | F | G");
  ComposeOptions without = options;
  without.sampling->chord_recall = 0.0;
  const auto ids = [&](const ComposeOptions& of) {
    return Composer(model_).Write(NewRequest{.bars = 12}, of)->front().generated.ids;
  };
  EXPECT_EQ(ids(options), ids(without));
}

TEST_F(ChordRecallTest, ModelsWithoutChordsAreNamed) {
  const LoadedModel remi = LoadFakeModel("remi");
  const Status status = Composer(remi).Check(NewRequest{}, {.sampling = SamplingOptions{.chord_recall = 0.5}});
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().ToString(), ::testing::HasSubstr("chord-recall is 0.5, but the model's tokens (REMI)"));
}

}  // namespace
}  // namespace continuo
