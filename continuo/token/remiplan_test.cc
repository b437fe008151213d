// REMIPlan: REMIChord with meter and a plan of each bar.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "continuo/core/rng.h"
#include "continuo/core/shared_data_testing.h"
#include "continuo/score/score_file.h"
#include "continuo/token/plan.h"
#include "continuo/token/score_json_testing.h"
#include "continuo/token/stream_state.h"
#include "continuo/token/tokenizer.h"
#include "continuo/token/tokenizer_json.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A bar of quarter notes of one velocity, as pitches by beat; 0: a rest.
struct Bar {
  std::vector<uint8_t> pitches;
  uint8_t velocity = 63;
};

Score SongOf(const std::vector<Bar>& bars, Tick bar_length = 1920) {
  Score score;
  score.tempos = {{0, 500000}};
  Track& track = score.tracks.emplace_back();
  Tick line = 0;
  for (const Bar& bar : bars) {
    for (size_t beat = 0; beat < bar.pitches.size(); ++beat) {
      if (bar.pitches[beat] != 0) {
        track.notes.push_back({line + static_cast<Tick>(beat) * 480, 480, bar.pitches[beat], bar.velocity});
      }
    }
    line += bar_length;
  }
  return score;
}

class RemiPlanTest : public testing::Test {
 protected:
  /// "Repeat_0 Density_0 Loudness_2" for each bar.
  std::vector<std::string> Plans(const std::vector<TokenId>& ids) const {
    std::vector<std::string> plans;
    for (const TokenId id : ids) {
      const std::string& token = tokenizer_->vocabulary().token(id);
      if (token == "Bar_None") {
        plans.emplace_back();
      } else if (token.starts_with("Repeat") || token.starts_with("Density") || token.starts_with("Loudness")) {
        plans.back() += (plans.back().empty() ? "" : " ") + token;
      }
    }
    return plans;
  }
  std::vector<std::string> Plans(const Score& score) const { return Plans(tokenizer_->Encode(score).at(0)); }
  std::vector<std::string> Repeats(const std::vector<Bar>& bars) const {
    std::vector<std::string> repeats;
    for (const std::string& plan : Plans(SongOf(bars))) {
      repeats.push_back(plan.substr(0, plan.find(' ')));
    }
    return repeats;
  }
  bool Takes(const std::string& text) const {
    const std::unique_ptr<Grammar> grammar = tokenizer_->NewGrammar();
    const std::vector<TokenId> ids = IdsOf(tokenizer_->vocabulary(), text);
    return std::all_of(ids.begin(), ids.end(), [&](TokenId id) { return grammar->Advance(id); });
  }

  std::unique_ptr<Tokenizer> tokenizer_ = Tokenizer::Load("remiplan").value();
};

TEST_F(RemiPlanTest, VocabularyIsThatOfRemiChordWithMeterAndThenThePlan) {
  TokenizerConfig config = PresetConfig("remichord", MidiTokRelease::k3_1_0).value();
  config.use_time_signatures = true;
  const auto chords = Tokenizer::Create(config).value();
  const std::vector<std::string>& before = chords->vocabulary().tokens();
  const std::vector<std::string>& tokens = tokenizer_->vocabulary().tokens();
  ASSERT_EQ(tokens.size(), before.size() + 65 + 8 + 8);
  EXPECT_TRUE(std::equal(before.begin(), before.end(), tokens.begin()));
  EXPECT_EQ(tokens[before.size()], "Repeat_0");
  EXPECT_EQ(tokens[before.size() + 64], "Repeat_64");
  EXPECT_EQ(tokens[before.size() + 65], "Density_0");
  EXPECT_EQ(tokens[before.size() + 73], "Loudness_0");
  EXPECT_EQ(tokens.back(), "Loudness_7");
  const std::set<std::string> all(tokens.begin(), tokens.end());
  const std::unique_ptr<Tokenizer> plus = Tokenizer::Load("remiplus").value();
  for (const std::string& token : plus->vocabulary().tokens()) {
    EXPECT_TRUE(!token.starts_with("TimeSig") || all.contains(token)) << token;
  }
}

TEST_F(RemiPlanTest, ThePlanFollowsTheBarAndItsTimeSignature) {
  Score score = SongOf({{{60}}});
  score.markers = {{0, "C_M_C"}};
  EXPECT_EQ(TokenText(tokenizer_->vocabulary(), tokenizer_->Encode(score).at(0)),
            "Bar_None TimeSig_4/4 Repeat_0 Density_0 Loudness_2 Position_0 Tempo_121.29 Chord_C_M Pitch_60 Velocity_63 "
            "Duration_1.0.8");
}

TEST_F(RemiPlanTest, ABarRepeatsTheMostSimilarOneBeforeIt) {
  EXPECT_THAT(Repeats({{{60, 62, 64, 65}}, {{48, 50, 52, 53}}, {{60, 62, 64, 65}}, {{48, 50, 52, 53}}}),
              ElementsAre("Repeat_0", "Repeat_0", "Repeat_2", "Repeat_2"));
  // The last is like the third in two notes and like the first in three.
  EXPECT_THAT(Repeats({{{60, 62, 64, 65}}, {{48, 48, 48, 48}}, {{60, 62, 70, 72}}, {{60, 62, 64, 67}}}),
              ElementsAre("Repeat_0", "Repeat_0", "Repeat_0", "Repeat_3"));
}

TEST_F(RemiPlanTest, OfEquallySimilarBarsTheNearestIsRepeated) {
  EXPECT_THAT(Repeats({{{60, 62}}, {{60, 62}}, {{60, 62}}}), ElementsAre("Repeat_0", "Repeat_1", "Repeat_1"));
}

TEST_F(RemiPlanTest, HalfOfAllNotesInCommonIsARepeatAndLessIsNot) {
  // 3 / 5, 2 / 4, 2 / 4, 2 / 5.
  EXPECT_THAT(Repeats({{{60, 62, 64, 65}}, {{60, 62, 64, 72}}}), ElementsAre("Repeat_0", "Repeat_1"));
  EXPECT_THAT(Repeats({{{60, 62, 64}}, {{60, 62, 70}}}), ElementsAre("Repeat_0", "Repeat_1"));
  EXPECT_THAT(Repeats({{{60, 62, 64, 65}}, {{60, 62}}}), ElementsAre("Repeat_0", "Repeat_1"));
  EXPECT_THAT(Repeats({{{60, 62, 64, 65}}, {{60, 62, 70}}}), ElementsAre("Repeat_0", "Repeat_0"));
  // The same notes on other beats.
  EXPECT_THAT(Repeats({{{60, 62, 64, 65}}, {{65, 60, 62, 64}}}), ElementsAre("Repeat_0", "Repeat_0"));
}

TEST_F(RemiPlanTest, BarsAreComparedWith64BeforeThem) {
  std::vector<Bar> bars(66);
  for (size_t i = 0; i < bars.size(); ++i) {
    bars[i].pitches = {static_cast<uint8_t>(30 + i)};
  }
  bars[64] = bars[0];
  EXPECT_EQ(Repeats(bars)[64], "Repeat_64");
  EXPECT_EQ(Repeats(bars)[65], "Repeat_0");
  bars[64] = bars[63];
  bars[65] = bars[0];
  EXPECT_EQ(Repeats(bars)[65], "Repeat_0");
}

TEST_F(RemiPlanTest, OnsetsAThirtySecondApartAreTheSameEighth) {
  Score score = SongOf({{{60, 62, 64, 65}}, {{60, 62, 64, 65}}});
  for (size_t i = 4; i < 8; ++i) {
    score.tracks[0].notes[i].time += 60;
  }
  EXPECT_EQ(Plans(score)[1].substr(0, 8), "Repeat_1");
  for (size_t i = 4; i < 8; ++i) {
    score.tracks[0].notes[i].time += 60;
  }
  EXPECT_EQ(Plans(score)[1].substr(0, 8), "Repeat_0");
}

TEST_F(RemiPlanTest, BarsWithoutNotesHaveNoLoudnessAndRepeatNone) {
  EXPECT_THAT(Plans(SongOf({{{60}}, {}, {}, {{60}}})),
              ElementsAre("Repeat_0 Density_0 Loudness_2", "Repeat_0 Density_0", "Repeat_0 Density_0",
                          "Repeat_3 Density_0 Loudness_2"));
}

TEST_F(RemiPlanTest, LevelsBeginAtTheValuesOfTheConfiguration) {
  TokenizerConfig config = tokenizer_->config();
  config.plan = PlanLevels{{1, 2, 3, 4, 20, 30, 40}, {10, 20, 63, 70, 80, 99.5, 120}};
  tokenizer_ = Tokenizer::Create(config).value();
  EXPECT_THAT(Plans(SongOf({{{60}, 59}, {{60, 62}, 63}, {{60, 62, 64, 65}, 99}, {{60, 62, 64}, 127}})),
              ElementsAre("Repeat_0 Density_1 Loudness_2", "Repeat_1 Density_2 Loudness_3",
                          "Repeat_1 Density_4 Loudness_5", "Repeat_1 Density_3 Loudness_7"));
}

TEST_F(RemiPlanTest, BarsOfOtherMetersAreCompared) {
  Score score = SongOf({{{60, 62, 64}}, {{60, 62, 64}}}, 1440);
  score.time_signatures = {{0, 3, 4}, {1440, 6, 8}};
  const std::vector<std::string> plans = Plans(score);
  ASSERT_EQ(plans.size(), 2U);
  EXPECT_EQ(plans[1].substr(0, 8), "Repeat_1");
}

TEST_F(RemiPlanTest, DecodingPassesOverThePlan) {
  const std::string notes = "Position_0 Tempo_121.29 Pitch_60 Velocity_63 Duration_1.0.8";
  const auto decode = [&](const std::string& text) {
    return ScoreJson(tokenizer_->Decode(Streams{IdsOf(tokenizer_->vocabulary(), text)}));
  };
  EXPECT_EQ(decode("Bar_None TimeSig_3/4 Repeat_5 Density_7 Loudness_0 " + notes),
            decode("Bar_None TimeSig_3/4 " + notes));
}

TEST_F(RemiPlanTest, GrammarTakesEachKindOnceInItsOrder) {
  const std::string bar = "Bar_None TimeSig_4/4 ";
  const std::string note = "Position_0 Pitch_60 Velocity_63 Duration_1.0.8 ";
  EXPECT_TRUE(Takes(bar + "Repeat_0 Density_3 Loudness_4 " + note + bar + "Repeat_1 " + note));
  EXPECT_TRUE(Takes(bar + note + bar + "Density_2 " + bar + "Loudness_7 " + bar + "Repeat_3 Loudness_0 " + note));
  EXPECT_FALSE(Takes(bar + "Density_3 Repeat_0"));
  EXPECT_FALSE(Takes(bar + "Loudness_3 Density_0"));
  EXPECT_FALSE(Takes(bar + "Density_3 Density_3"));
  EXPECT_FALSE(Takes("Bar_None Repeat_0"));
  EXPECT_FALSE(Takes(bar + note + "Density_3"));
  EXPECT_FALSE(Takes(bar + "Position_0 Density_3"));
}

TEST_F(RemiPlanTest, GrammarRepeatsOnlyBarsThatThereAre) {
  const std::string bar = "Bar_None TimeSig_4/4 ";
  EXPECT_FALSE(Takes(bar + "Repeat_1"));
  EXPECT_TRUE(Takes(bar + bar + "Repeat_1"));
  EXPECT_FALSE(Takes(bar + bar + "Repeat_2"));
  std::string bars;
  for (int i = 0; i < 80; ++i) {
    bars += bar;
  }
  EXPECT_TRUE(Takes(bars + "Repeat_64"));
}

TEST_F(RemiPlanTest, WindowsKeepThePlanButForBarsThatAreGone) {
  const std::vector<Bar> bars{{{60, 62, 64, 65}}, {{48}}, {{60, 62, 64, 65}}, {{48}}};
  const std::vector<TokenId> ids = tokenizer_->Encode(SongOf(bars)).at(0);
  EXPECT_THAT(Plans(tokenizer_->WindowFromBar(ids, 1)),
              ElementsAre("Repeat_0 Density_0 Loudness_2", "Density_0 Loudness_2", "Repeat_2 Density_0 Loudness_2"));
  EXPECT_THAT(Plans(tokenizer_->WindowFromBar(ids, 2)), ElementsAre("Density_0 Loudness_2", "Density_0 Loudness_2"));
  EXPECT_EQ(tokenizer_->BarOffsets(ids).size(), 4U);
}

TEST_F(RemiPlanTest, TransposingAndStreamStatesLeaveThePlanAlone) {
  const std::vector<TokenId> map = tokenizer_->TransposeMap(-5);
  StreamState state = tokenizer_->NewState();
  for (const TokenId id : IdsOf(tokenizer_->vocabulary(), "Bar_None TimeSig_3/4 Repeat_0 Density_7 Loudness_2")) {
    state.Advance(id);
    EXPECT_EQ(map[static_cast<size_t>(id)], id);
  }
  EXPECT_EQ(state.bar(), 0);
  EXPECT_EQ(state.tick(), 0);
}

/// The rule of the lag as plan.h states it, with sets.
std::vector<int> RepeatsBySets(const std::vector<std::set<std::pair<int, int>>>& bars) {
  std::vector<int> lags;
  for (size_t b = 0; b < bars.size(); ++b) {
    int best = 0;
    double similarity = 0;
    for (size_t lag = 1; lag <= std::min<size_t>(b, 64); ++lag) {
      const auto& other = bars[b - lag];
      const auto common =
          std::count_if(other.begin(), other.end(), [&](const auto& pair) { return bars[b].contains(pair); });
      const double all = static_cast<double>(other.size() + bars[b].size()) - static_cast<double>(common);
      const double s = other.empty() || bars[b].empty() ? 0 : static_cast<double>(common) / all;
      if (s >= 0.5 && s > similarity) {
        similarity = s;
        best = static_cast<int>(lag);
      }
    }
    lags.push_back(best);
  }
  return lags;
}

TEST(RepeatFinderTest, FindsWhatTheRuleSays) {
  size_t repeats = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed, 3);
    std::vector<std::set<std::pair<int, int>>> bars;
    std::vector<int> found;
    RepeatFinder finder;
    for (size_t b = 0; b < 150; ++b) {
      std::set<std::pair<int, int>> bar;
      if (b > 0 && rng.NextBelow(3) == 0) {
        bar = bars[b - 1 - rng.NextBelow(std::min<size_t>(b, 80))];
      }
      for (uint64_t n = rng.NextBelow(8); n > 0; --n) {
        bar.emplace(static_cast<int>(rng.NextBelow(17)), static_cast<int>(60 + rng.NextBelow(8)));
      }
      for (const auto& [sixteenth, pitch] : bar) {
        finder.AddNote(sixteenth, pitch);
        if (rng.NextBelow(4) == 0) {
          finder.AddNote(sixteenth, pitch);  // struck twice
        }
      }
      bars.push_back(bar);
      found.push_back(finder.EndBar());
    }
    EXPECT_EQ(found, RepeatsBySets(bars));
    repeats += static_cast<size_t>(std::count_if(found.begin(), found.end(), [](int lag) { return lag > 0; }));
  }
  EXPECT_GT(repeats, 1000U);
}

TEST_F(RemiPlanTest, TokenizerJsonSaysThePlan) {
  TokenizerConfig config = tokenizer_->config();
  config.plan = PlanLevels{{1, 2, 3, 4, 5, 6, 7}, {10, 20, 30, 40.25, 50, 60, 70}};
  config.chords = ChordSource::kMarkers;
  const std::string text = Tokenizer::Create(config).value()->ToJson();
  const nlohmann::json json = nlohmann::json::parse(text);
  EXPECT_EQ(json["tokenization"], "REMIPlan");
  EXPECT_EQ(json["plan"]["loudness"][3], 40.25);
  const TokenizerConfig read = ParseTokenizerJson(text, "t", MidiTokRelease::k3_1_0)->config;
  EXPECT_EQ(read.plan, config.plan);
  EXPECT_EQ(read.chords, ChordSource::kMarkers);
  const auto error = [](const std::string& rest) {
    const auto result =
        ParseTokenizerJson(R"({"tokenization": "REMIPlan", )" + rest + "}", "t.json", MidiTokRelease::k3_1_0);
    return result.ok() ? "none" : result.error().message;
  };
  EXPECT_EQ(error(R"("plan": {})"), "none");
  EXPECT_THAT(error(R"("plan": {"density": [1, 2]})"), HasSubstr("plan.density is a list of 2, expected 7 numbers"));
  EXPECT_THAT(error(R"("plan": {"density": 3})"), HasSubstr("plan.density is number, expected 7 numbers"));
  EXPECT_THAT(error(R"("plan": {"density": [1, 2, 3, 3, 4, 5, 6]})"), HasSubstr("plan.density has 3 after 3"));
  EXPECT_THAT(error(R"("plan": {"loudness": [0, 2, 3, 4, 5, 6, 7]})"), HasSubstr("plan.loudness has 0 after 0"));
  EXPECT_THAT(error(R"("plan": {"lag": 3})"), HasSubstr("plan.lag is not supported"));
  EXPECT_THAT(error(R"("plan": [])"), HasSubstr("plan"));
  EXPECT_THAT(error(R"("config": {"use_rests": true})"), HasSubstr("without use_rests"));
  const auto other = ParseTokenizerJson(R"({"tokenization": "REMIChord", "plan": {}})", "t", MidiTokRelease::k3_1_0);
  EXPECT_THAT(other.error().message, HasSubstr("plan is not supported"));
}

std::vector<TokenizerConfig> Variants() {
  const TokenizerConfig base = PresetConfig("remiplan", MidiTokRelease::k3_1_0).value();
  std::vector<TokenizerConfig> variants(4, base);
  variants[1].use_time_signatures = false;
  variants[1].use_bar_end_tokens = true;
  variants[2].use_programs = true;
  variants[2].use_sustain_pedals = true;
  variants[3].use_velocities = false;
  variants[3].beat_res = {{0, 2, 12}, {2, 8, 3}};
  return variants;
}

Score RandomScore(uint64_t seed) {
  Rng rng(seed, 0);
  const auto below = [&rng](uint64_t bound) { return static_cast<Tick>(rng.NextBelow(bound)); };
  Score score;
  score.tempos = {{0, 500000}};
  Tick at = 0;
  for (int i = 0; i < 3; ++i) {
    const std::array<TimeSignature, 4> meters{{{at, 4, 4}, {at, 3, 4}, {at, 6, 8}, {at, 5, 4}}};
    score.time_signatures.push_back(meters[rng.NextBelow(4)]);
    at += score.time_signatures.back().numerator * 4 * 480 / score.time_signatures.back().denominator * (1 + below(3));
  }
  score.tracks.resize(1 + rng.NextBelow(3));
  for (size_t t = 0; t < score.tracks.size(); ++t) {
    Track& track = score.tracks[t];
    track.program = static_cast<uint8_t>(t * 8);
    track.is_drum = t == 2;
    for (int i = 0; i < 60; ++i) {
      track.notes.push_back(
          {below(12000), 1 + below(1500), static_cast<uint8_t>(40 + below(20)), static_cast<uint8_t>(1 + below(127))});
    }
    std::stable_sort(track.notes.begin(), track.notes.end(),
                     [](const Note& a, const Note& b) { return a.time < b.time; });
  }
  return score;
}

TEST_F(RemiPlanTest, WhatIsEncodedIsTakenByTheGrammarAndComesBack) {
  size_t alone = 0;  // scores of one track, for which the law of the round trip holds
  for (const TokenizerConfig& config : Variants()) {
    tokenizer_ = Tokenizer::Create(config).value();
    for (uint64_t seed = 0; seed < 100; ++seed) {
      const Streams streams = tokenizer_->Encode(RandomScore(seed));
      for (const std::vector<TokenId>& ids : streams) {
        const std::string text = TokenText(tokenizer_->vocabulary(), ids);
        ASSERT_TRUE(Takes(text)) << text;
        for (const std::string& plan : Plans(ids)) {
          ASSERT_TRUE(plan.starts_with("Repeat_") && plan.find("Density_") != std::string::npos) << text;
        }
        for (size_t bar = 0; bar < tokenizer_->BarOffsets(ids).size(); ++bar) {
          const std::string window = TokenText(tokenizer_->vocabulary(), tokenizer_->WindowFromBar(ids, bar));
          ASSERT_TRUE(Takes(window)) << window;
        }
      }
      if (tokenizer_->Decode(streams).tracks.size() == 1) {
        ++alone;
        ASSERT_EQ(tokenizer_->Encode(tokenizer_->Decode(streams)), streams)
            << TokenText(tokenizer_->vocabulary(), streams[0]);
      }
    }
  }
  EXPECT_GT(alone, 100U);
}

// The default levels are octiles: each has about an eighth of the corpus's bars. Pop1K7 alone is
// softer and thinner than both corpora together, so that its own shares are wider apart.
TEST_F(RemiPlanTest, SongsUseAllLevelsAndRepeatBars) {
  CONTINUO_NEEDS_SHARED();
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(SharedDir() / "data" / "pop1k7")) {
    if (entry.path().extension() == ".mid") {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::map<std::string, double> counts;
  for (size_t i = 0; i < paths.size(); i += 20) {
    const Streams streams = tokenizer_->Encode(ReadScore(paths[i]).value());
    for (const TokenId id : streams.at(0)) {
      ++counts[tokenizer_->vocabulary().token(id)];
    }
    const std::unique_ptr<Grammar> grammar = tokenizer_->NewGrammar();
    ASSERT_TRUE(std::all_of(streams[0].begin(), streams[0].end(), [&](TokenId id) { return grammar->Advance(id); }));
    EXPECT_EQ(tokenizer_->Encode(tokenizer_->Decode(streams)), streams) << paths[i];
  }
  const double bars = counts["Bar_None"];
  for (int level = 0; level < 8; ++level) {
    EXPECT_GT(counts[fmt::format("Density_{}", level)], 0.02 * bars) << level;
    EXPECT_LT(counts[fmt::format("Density_{}", level)], 0.3 * bars) << level;
  }
  EXPECT_GT(counts["Repeat_0"], 0.3 * bars);
  EXPECT_LT(counts["Repeat_0"], 0.8 * bars);
}

}  // namespace
}  // namespace continuo
