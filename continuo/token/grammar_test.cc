#include "continuo/token/grammar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "continuo/core/rng.h"
#include "continuo/core/thread_pool.h"
#include "continuo/os/machine.h"
#include "continuo/score/chord.h"
#include "continuo/token/score_json_testing.h"
#include "continuo/token/tokenizer.h"

namespace continuo {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::string TypeOf(const std::string& token) {
  return token.substr(0, token.find('_'));
}

// A small language: tokens go in as text; what may follow comes out as text.
class Writer {
 public:
  explicit Writer(const std::string& preset, size_t bars = 0)
      : tokenizer_(Tokenizer::Load(preset).value()), grammar_(tokenizer_->NewGrammar({bars})) {}
  explicit Writer(const TokenizerConfig& config, size_t bars = 0)
      : tokenizer_(Tokenizer::Create(config).value()), grammar_(tokenizer_->NewGrammar({bars})) {}

  /// How many of the tokens were taken.
  size_t Write(const std::string& text) {
    size_t taken = 0;
    for (TokenId id : IdsOf(tokenizer_->vocabulary(), text)) {
      if (!grammar_->Advance(id)) {
        break;
      }
      ++taken;
    }
    return taken;
  }

  bool Takes(const std::string& token) const {
    return grammar_->Clone()->Advance(tokenizer_->vocabulary().Find(token).value());
  }

  std::vector<std::string> Allowed() const {
    std::vector<uint8_t> mask(tokenizer_->vocabulary().size(), 7);
    grammar_->Allowed(mask);
    std::vector<std::string> tokens;
    for (size_t id = 0; id < mask.size(); ++id) {
      if (mask[id] != 0) {
        tokens.push_back(tokenizer_->vocabulary().token(static_cast<TokenId>(id)));
      }
    }
    return tokens;
  }

  std::vector<std::string> AllowedTypes() const {
    std::vector<std::string> types;
    for (const std::string& token : Allowed()) {
      if (types.empty() || types.back() != TypeOf(token)) {
        types.push_back(TypeOf(token));
      }
    }
    return types;
  }

  std::vector<std::string> AllowedOf(const std::string& type) const {
    std::vector<std::string> tokens;
    for (const std::string& token : Allowed()) {
      if (TypeOf(token) == type) {
        tokens.push_back(token);
      }
    }
    return tokens;
  }

  std::string next_bar_token() const {
    const TokenId id = grammar_->next_bar_token();
    return id < 0 ? "" : tokenizer_->vocabulary().token(id);
  }

  Grammar& grammar() { return *grammar_; }

 private:
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<Grammar> grammar_;
};

TEST(RemiGrammarTest, BeginsWithABar) {
  Writer writer("remi");
  EXPECT_THAT(writer.Allowed(), ElementsAre("Bar_None"));
  EXPECT_EQ(writer.grammar().bars(), 0u);
  writer.Write("Bar_None");
  EXPECT_EQ(writer.grammar().bars(), 1u);
  EXPECT_THAT(writer.AllowedTypes(), ElementsAre("Bar", "Position"));
}

TEST(RemiGrammarTest, ATargetThatComesLaterLimitsWhatComesThen) {
  Writer writer("remi");
  ASSERT_EQ(writer.Write("Bar_None Position_24 Pitch_60 Velocity_63 Duration_8.0.4 Bar_None"), 6u);
  EXPECT_FALSE(Writer("remi", 2).Write("Bar_None Position_24 Pitch_60 Velocity_63 Duration_8.0.4") == 5u);
  EXPECT_FALSE(writer.grammar().SetTarget({1}));
  EXPECT_TRUE(writer.grammar().SetTarget({2}));
  EXPECT_FALSE(writer.grammar().SetTarget({3}));  // it has one
  writer.Write("Position_16 Pitch_62 Velocity_63");
  EXPECT_TRUE(writer.Takes("Duration_2.0.8"));
  EXPECT_FALSE(writer.Takes("Duration_3.0.8"));
  writer.Write("Duration_1.0.8 Bar_None");
  EXPECT_TRUE(writer.grammar().complete());
}

TEST(RemiGrammarTest, NoTargetIsSetWithinANote) {
  Writer writer("remi");
  writer.Write("Bar_None Position_24 Pitch_60");
  EXPECT_FALSE(writer.grammar().SetTarget({2}));
  writer.Write("Velocity_63 Duration_1.0.8");
  EXPECT_TRUE(writer.grammar().SetTarget({2}));
}

TEST(MidiLikeGrammarTest, ATargetThatComesLaterLimitsWhatComesThen) {
  Writer writer("midilike");
  writer.Write("NoteOn_60 Velocity_63 TimeShift_4.0.4");
  EXPECT_FALSE(writer.grammar().SetTarget({1}));
  EXPECT_TRUE(writer.grammar().SetTarget({2}));
  EXPECT_FALSE(writer.Takes("TimeShift_5.0.4"));
  writer.Write("NoteOn_64 Velocity_63 TimeShift_4.0.4");
  EXPECT_FALSE(writer.grammar().complete());
  writer.Write("NoteOff_60 NoteOff_64");
  EXPECT_TRUE(writer.grammar().complete());
}

TEST(RemiGrammarTest, TakesBosAtTheStartOnly) {
  Writer writer("remi");
  EXPECT_EQ(writer.Write("BOS_None Bar_None"), 2u);
  EXPECT_FALSE(writer.Takes("BOS_None"));
  EXPECT_FALSE(writer.Takes("PAD_None"));
  EXPECT_FALSE(writer.Takes("MASK_None"));
}

TEST(RemiGrammarTest, WritesNotesWhole) {
  Writer writer("remi");
  writer.Write("Bar_None Position_4 Pitch_60");
  EXPECT_THAT(writer.AllowedTypes(), ElementsAre("Velocity"));
  writer.Write("Velocity_127");
  EXPECT_THAT(writer.AllowedTypes(), ElementsAre("Duration"));
  writer.Write("Duration_1.0.8");
  EXPECT_THAT(writer.AllowedTypes(), ElementsAre("EOS", "Bar", "Pitch", "Position"));
}

TEST(RemiGrammarTest, PositionsRiseWithinTheBarAndHoldSomething) {
  Writer writer("remi");
  writer.Write("Bar_None Position_29");
  EXPECT_THAT(writer.AllowedTypes(), ElementsAre("Pitch", "PitchDrum", "Tempo"));
  writer.Write("Tempo_121.29");
  EXPECT_THAT(writer.AllowedOf("Position"), ElementsAre("Position_30", "Position_31"));
  EXPECT_FALSE(writer.Takes("Tempo_40.0"));
}

TEST(RemiGrammarTest, TempoComesBeforeTheNotesOfItsPosition) {
  Writer writer("remi");
  writer.Write("Bar_None Position_0 Pitch_60 Velocity_127 Duration_1.0.8");
  EXPECT_FALSE(writer.Takes("Tempo_40.0"));
}

TEST(RemiGrammarTest, PositionsFitTheMeter) {
  Writer writer("remiplus");
  writer.Write("Bar_None");
  EXPECT_THAT(writer.AllowedTypes(), ElementsAre("TimeSig"));
  writer.Write("TimeSig_3/8");
  EXPECT_TRUE(writer.Takes("Position_23"));
  EXPECT_FALSE(writer.Takes("Position_24"));
  writer.Write("Bar_None TimeSig_12/8");
  EXPECT_TRUE(writer.Takes("Position_95"));
}

TEST(RemiGrammarTest, ChordStandsBeforeANoteOfItsPosition) {
  Writer writer("remiplus");
  writer.Write("Bar_None TimeSig_4/4 Position_0 Chord_maj");
  EXPECT_THAT(writer.AllowedTypes(), ElementsAre("Pitch"));
  writer.Write("Pitch_60 Velocity_127 Duration_1.0.8");
  EXPECT_FALSE(writer.Takes("Chord_min"));
}

TEST(RemiGrammarTest, ChordAndItsNoteHaveOneProgram) {
  Writer writer("remi_programs");
  writer.Write("Bar_None TimeSig_4/4 Position_0 Program_5 Chord_maj");
  EXPECT_THAT(writer.Allowed(), ElementsAre("Program_5"));
  writer.Write("Program_5 Pitch_60 Velocity_127 Duration_1.0.8");
  // Another program's block closes that of the first.
  EXPECT_EQ(writer.Write("Program_5 Pitch_64 Velocity_127 Duration_1.0.8 Program_-1"), 5u);
  EXPECT_THAT(writer.AllowedTypes(), ElementsAre("PitchDrum"));
  writer.Write("PitchDrum_40 Velocity_127 Duration_1.0.8");
  EXPECT_FALSE(writer.Takes("Program_5"));
}

TEST(RemiGrammarTest, PiecesEndOnceTheLastBarHasANote) {
  Writer writer("remi", 2);
  writer.Write("Bar_None Position_0 Pitch_60 Velocity_127 Duration_1.0.8");
  EXPECT_FALSE(writer.Takes("EOS_None"));
  writer.Write("Bar_None");
  EXPECT_THAT(writer.AllowedTypes(), ElementsAre("Position"));
  writer.Write("Position_30 Tempo_121.29");
  EXPECT_FALSE(writer.Takes("Bar_None"));
  writer.Write("Pitch_60 Velocity_127");
  // The piece ends two positions later.
  EXPECT_THAT(writer.Allowed(), ElementsAre("Duration_0.1.8", "Duration_0.2.8"));
  writer.Write("Duration_0.2.8");
  EXPECT_TRUE(writer.Takes("EOS_None"));
  EXPECT_FALSE(writer.grammar().complete());
  EXPECT_EQ(writer.Write("Bar_None"), 1u);
  EXPECT_TRUE(writer.grammar().complete());
  EXPECT_EQ(writer.grammar().bars(), 2u);
  EXPECT_THAT(writer.Allowed(), ElementsAre("EOS_None"));
}

TEST(RemiGrammarTest, NextBarTokensLeadToANewBar) {
  TokenizerConfig config = *PresetConfig("remiplus", MidiTokRelease::k3_1_0);
  config.use_bar_end_tokens = true;
  Writer writer(config);
  writer.Write("Bar_None TimeSig_3/4");
  std::vector<std::string> tokens;
  for (int i = 0; i < 3; ++i) {
    tokens.push_back(writer.next_bar_token());
    ASSERT_EQ(writer.Write(tokens.back()), 1u);
  }
  EXPECT_THAT(tokens, ElementsAre("Bar_End", "Bar_None", "TimeSig_3/4"));
  EXPECT_EQ(writer.grammar().bars(), 2u);
  EXPECT_EQ(writer.next_bar_token(), "Bar_End");
  writer.Write("Position_0 Pitch_60");
  EXPECT_EQ(writer.next_bar_token(), "");
}

TEST(RemiGrammarTest, RestsMayCrossBarLines) {
  Writer writer("remi_all");
  writer.Write("Bar_None TimeSig_4/4 Position_0 Program_0 Pitch_60 Velocity_127 Duration_1.0.8 Rest_3.0.2 Rest_0.4.8");
  EXPECT_EQ(writer.grammar().bars(), 2u);
  EXPECT_THAT(writer.AllowedOf("Position").front(), "Position_4");
}

TEST(RemiGrammarTest, PedalsAreReleasedBeforeTheEnd) {
  Writer writer("remi_all", 1);
  writer.Write("Bar_None TimeSig_1/4 Position_6 Pedal_0 Program_0 Pitch_60 Velocity_127 Duration_0.1.8");
  EXPECT_FALSE(writer.Takes("EOS_None"));
  EXPECT_FALSE(writer.Takes("PedalOff_0"));
  EXPECT_EQ(writer.Write("Position_7"), 1u);
  EXPECT_THAT(writer.Allowed(), ElementsAre("PedalOff_0"));
  writer.Write("PedalOff_0");
  EXPECT_TRUE(writer.Takes("EOS_None"));
}

TEST(MidiLikeGrammarTest, EndsOnlyWhatSounds) {
  Writer writer("midilike");
  EXPECT_THAT(writer.AllowedTypes(), ElementsAre("NoteOn", "TimeShift", "DrumOn", "Tempo"));
  writer.Write("NoteOn_60");
  EXPECT_THAT(writer.AllowedTypes(), ElementsAre("Velocity"));
  writer.Write("Velocity_127");
  // Not at the tick where it begins.
  EXPECT_THAT(writer.AllowedOf("NoteOff"), IsEmpty());
  EXPECT_FALSE(writer.Takes("EOS_None"));
  writer.Write("NoteOn_64 Velocity_127 TimeShift_1.0.8");
  EXPECT_THAT(writer.AllowedOf("NoteOff"), ElementsAre("NoteOff_60", "NoteOff_64"));
  writer.Write("NoteOff_64");
  EXPECT_THAT(writer.AllowedOf("NoteOff"), ElementsAre("NoteOff_60"));
  writer.Write("NoteOff_60");
  EXPECT_TRUE(writer.Takes("EOS_None"));
}

TEST(MidiLikeGrammarTest, TimeStopsAtTheTarget) {
  Writer writer("midilike", 2);
  writer.Write("NoteOn_60 Velocity_127 TimeShift_4.0.4");
  EXPECT_EQ(writer.grammar().bars(), 2u);
  // No note in the last bar yet: its end is out of reach.
  EXPECT_TRUE(writer.Takes("TimeShift_3.7.8"));
  EXPECT_FALSE(writer.Takes("TimeShift_4.0.4"));
  writer.Write("NoteOn_62 Velocity_127");
  EXPECT_TRUE(writer.Takes("TimeShift_4.0.4"));
  EXPECT_FALSE(writer.Takes("TimeShift_4.1.4"));
  writer.Write("TimeShift_4.0.4");
  EXPECT_FALSE(writer.grammar().complete());
  EXPECT_THAT(writer.Allowed(), ElementsAre("NoteOff_60", "NoteOff_62"));
  writer.Write("NoteOff_62 NoteOff_60");
  EXPECT_TRUE(writer.grammar().complete());
  EXPECT_EQ(writer.grammar().bars(), 2u);
  EXPECT_THAT(writer.Allowed(), ElementsAre("EOS_None"));
}

TEST(MidiLikeGrammarTest, EosInTheLastBarCompletesThePiece) {
  Writer writer("midilike", 1);
  writer.Write("NoteOn_60 Velocity_127 TimeShift_1.0.8 NoteOff_60");
  EXPECT_EQ(writer.Write("EOS_None"), 1u);
  EXPECT_TRUE(writer.grammar().complete());
}

TEST(MidiLikeGrammarTest, SignaturesChangeAtBarLines) {
  Writer writer("midilike_all");
  EXPECT_THAT(writer.AllowedTypes(), ElementsAre("TimeSig"));
  writer.Write("TimeSig_3/4 Tempo_121.29 Program_0 NoteOn_60 Velocity_127 TimeShift_2.0.8");
  EXPECT_FALSE(writer.Takes("TimeSig_4/4"));
  writer.Write("TimeShift_1.0.8");
  EXPECT_TRUE(writer.Takes("TimeSig_4/4"));
  EXPECT_FALSE(writer.Takes("TimeSig_3/4"));
  EXPECT_EQ(writer.grammar().bars(), 2u);
}

TEST(MidiLikeGrammarTest, RestsOnlyInSilence) {
  Writer writer("midilike_all");
  writer.Write("TimeSig_4/4 Program_0 NoteOn_60 Velocity_127 TimeShift_1.0.8");
  EXPECT_THAT(writer.AllowedOf("Rest"), IsEmpty());
  writer.Write("Program_0 NoteOff_60");
  EXPECT_TRUE(writer.Takes("Rest_1.0.4"));
}

TEST(TsdGrammarTest, CompletesAtTheEndOfItsBars) {
  Writer writer("tsd_default", 1);
  writer.Write("TimeSig_2/4 TimeShift_1.4.8 Pitch_60 Velocity_127");
  EXPECT_THAT(writer.AllowedOf("Duration").back(), "Duration_0.4.8");
  writer.Write("Duration_0.4.8 TimeShift_0.4.8");
  EXPECT_TRUE(writer.grammar().complete());
}

// Random walks: the next token is one of a random type among those allowed.
struct Walk {
  std::vector<TokenId> ids;
  bool complete = false;
};

class Walker {
 public:
  explicit Walker(const Tokenizer& tokenizer)
      : tokenizer_(tokenizer), begins_notes_(tokenizer.vocabulary().has(TokenType::kNoShift)) {
    std::map<std::string, int> types;
    for (const std::string& token : tokenizer.vocabulary().tokens()) {
      type_.push_back(types.emplace(TypeOf(token), static_cast<int>(types.size())).first->second);
    }
    type_count_ = types.size();
  }

  /// A piece of `bars` bars. `error` says what went wrong, if something did.
  Walk Run(size_t bars, Rng rng, std::string* error) const {
    const Vocabulary& vocabulary = tokenizer_.vocabulary();
    std::vector<double> liking(type_count_);
    for (double& weight : liking) {
      weight = 0.05 + rng.NextDouble();
    }
    std::vector<uint8_t> mask(vocabulary.size());
    std::vector<double> weight(type_count_);
    std::vector<int> count(type_count_);
    const std::unique_ptr<Grammar> grammar = tokenizer_.NewGrammar({bars});
    Walk walk;
    constexpr size_t kLongest = 20000;
    while (walk.ids.size() < kLongest) {
      grammar->Allowed(mask);
      std::fill(count.begin(), count.end(), 0);
      double total = 0;
      for (size_t id = 0; id < mask.size(); ++id) {
        if (mask[id] != 0 && count[static_cast<size_t>(type_[id])]++ == 0) {
          total += liking[static_cast<size_t>(type_[id])];
        }
      }
      if (total == 0) {
        *error = "nothing may follow " + TokenText(vocabulary, walk.ids);
        return walk;
      }
      double draw = rng.NextDouble() * total;
      size_t type = 0;
      for (size_t t = 0; t < count.size(); ++t) {
        if (count[t] > 0) {
          type = t;
          draw -= liking[t];
          if (draw < 0) {
            break;
          }
        }
      }
      uint64_t nth = rng.NextBelow(static_cast<uint64_t>(count[type]));
      size_t id = 0;
      while (mask[id] == 0 || static_cast<size_t>(type_[id]) != type || nth-- > 0) {
        ++id;
      }
      // Advance and Allowed agree, whatever the id.
      const size_t other = rng.NextBelow(mask.size());
      const bool is_bos = vocabulary.token(static_cast<TokenId>(other)) == "BOS_None";
      if (!is_bos && grammar->Clone()->Advance(static_cast<TokenId>(other)) != (mask[other] != 0)) {
        *error = "Advance and Allowed differ on " + vocabulary.token(static_cast<TokenId>(other));
        return walk;
      }
      if (!grammar->Advance(static_cast<TokenId>(id))) {
        *error = "Advance refuses an allowed token";
        return walk;
      }
      const std::string& token = vocabulary.token(static_cast<TokenId>(id));
      const bool closes_bar = TypeOf(token) == "Bar" || (TypeOf(token) == "TimeShift" && begins_notes_);
      const bool closes = token == "EOS_None" || (grammar->complete() && closes_bar);
      if (!closes) {
        walk.ids.push_back(static_cast<TokenId>(id));
      }
      if (closes || grammar->complete()) {
        walk.complete = grammar->complete();
        return walk;
      }
    }
    *error = "no end in " + std::to_string(kLongest) + " tokens";
    return walk;
  }

 private:
  const Tokenizer& tokenizer_;
  bool begins_notes_;  // a TimeShift does
  std::vector<int> type_;
  size_t type_count_ = 0;
};

struct WalkCase {
  std::string preset;
  int walks;
};

class RandomWalkTest : public testing::TestWithParam<WalkCase> {
 protected:
  void SetUp() override {
    tokenizer_ = Tokenizer::Load(GetParam().preset).value();
    config_ = tokenizer_->config();
  }

  // What is wrong with the score of a walk, or nothing.
  std::string Check(const Walk& walk, size_t bars) const {
    const Score score = tokenizer_->Decode(Streams{walk.ids});
    size_t notes = 0;
    size_t tempos = 0;
    size_t chords = 0;
    size_t tracks = 0;
    for (TokenId id : walk.ids) {
      const std::string type = TypeOf(tokenizer_->vocabulary().token(id));
      tracks += tokenizer_->vocabulary().token(id) == "Track_Start" ? 1 : 0;
      if (config_.kind == TokenizationKind::kBeat) {
        notes += type == "Pattern" ? OnsetsOf(tokenizer_->vocabulary().info(id).value) : 0;
      } else {
        notes += type == "Pitch" || type == "PitchDrum" || type == "NoteOn" || type == "DrumOn";
      }
      tempos += type == "Tempo" && tracks < 2;  // MMM repeats them
      chords += type == "Chord";
    }
    size_t decoded = 0;
    Tick last_onset = 0;
    Tick end = 0;
    for (const Track& track : score.tracks) {
      decoded += track.notes.size();
      for (const Note& note : track.notes) {
        last_onset = std::max(last_onset, note.time);
        end = std::max(end, note.time + note.duration);
      }
    }
    if (decoded != notes) {
      return fmt::format("{} notes were written, {} decoded", notes, decoded);
    }
    if (score.tempos.size() != tempos && score.tempos.size() != tempos + 1) {  // one at the start is added
      return fmt::format("{} tempos were written, {} decoded", tempos, score.tempos.size());
    }
    if (config_.chords != ChordSource::kNone && ChordsOfMarkers(score).size() != chords) {
      return fmt::format("{} chords were written, {} decoded", chords, ChordsOfMarkers(score).size());
    }
    // The bar lines of the decoded score.
    Tick line = 0;
    size_t meter = 0;
    for (size_t bar = 0; bar < bars; ++bar) {
      while (meter + 1 < score.time_signatures.size() && score.time_signatures[meter + 1].time <= line) {
        ++meter;
      }
      const TimeSignature& signature = score.time_signatures[meter];
      const Tick length = score.ticks_per_quarter * 4 / signature.denominator * signature.numerator;
      if (bar + 1 == bars && (last_onset < line || last_onset >= line + length || end > line + length)) {
        return fmt::format("the last of {} bars is {} to {}, the last note begins at {}, all end by {}", bars, line,
                           line + length, last_onset, end);
      }
      line += length;
    }
    return SameAfterEncoding(score) ? "" : "decoding, encoding and decoding gives another score";
  }

  // The ones among the four digits of base 3.
  static size_t OnsetsOf(int pattern) {
    size_t onsets = 0;
    for (; pattern > 0; pattern /= 3) {
      onsets += pattern % 3 == 1 ? 1 : 0;
    }
    return onsets;
  }

  bool SameAfterEncoding(const Score& score) const {
    // BEAT has one velocity for a key in a beat: the mean of a note that sounds into it and the
    // next.
    // PerTok's MicroTiming tokens say some times in several ways.
    if (config_.kind == TokenizationKind::kBeat || config_.kind == TokenizationKind::kPerTok) {
      return true;
    }
    // max_duration cuts notes again where they end off its grid, and rests that begin off the grid
    // of another meter than that of the note before are cut by MidiTok.
    const bool several_beats = std::any_of(
        score.time_signatures.begin(), score.time_signatures.end(),
        [&score](const TimeSignature& meter) { return meter.denominator != score.time_signatures[0].denominator; });
    if (config_.max_duration || (config_.use_rests && several_beats)) {
      return true;
    }
    const auto sorted = [](nlohmann::json json) {
      std::sort(json["tracks"].begin(), json["tracks"].end());
      return json;
    };
    const Score again = tokenizer_->Decode(tokenizer_->Encode(score));
    return sorted(ScoreJson(again)) == sorted(ScoreJson(score));
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  TokenizerConfig config_;
};

TEST_P(RandomWalkTest, EveryWalkDecodesWholeAndHasItsBars) {
  const Walker walker(*tokenizer_);
  std::mutex mutex;
  std::string first_error;
  ThreadPool pool(AvailableCores());
  pool.ForEach(static_cast<size_t>(GetParam().walks), [&](size_t i, size_t) {
    const size_t bars = 1 + i % 4;
    std::string error;
    const Walk walk = walker.Run(bars, Rng(11, i), &error);
    if (error.empty() && !walk.complete) {
      error = "the walk ended before its bars were complete";
    }
    if (error.empty()) {
      error = Check(walk, bars);
    }
    if (!error.empty()) {
      const std::lock_guard lock(mutex);
      if (first_error.empty()) {
        first_error = fmt::format("walk {}: {}: {}", i, error, TokenText(tokenizer_->vocabulary(), walk.ids));
      }
    }
  });
  EXPECT_EQ(first_error, "");
}

INSTANTIATE_TEST_SUITE_P(
    Presets, RandomWalkTest,
    testing::Values(WalkCase{"remi", 10000}, WalkCase{"midilike", 10000}, WalkCase{"remiplus", 10000},
                    WalkCase{"remichord", 10000}, WalkCase{"remiplan", 10000}, WalkCase{"hw_remiplus", 500},
                    WalkCase{"hw_midilike", 500}, WalkCase{"tsd_default", 2000}, WalkCase{"midilike_default", 500},
                    WalkCase{"remi_programs", 500}, WalkCase{"remi_all", 500}, WalkCase{"midilike_all", 300},
                    WalkCase{"tsd_all", 300}, WalkCase{"structured_default", 10000}, WalkCase{"beat_default", 2000},
                    WalkCase{"pertok_default", 2000}, WalkCase{"mmm_remi_default", 500},
                    WalkCase{"mmm_midilike_default", 500}, WalkCase{"mmm_tsd_default", 500}),
    [](const auto& test) { return test.param.preset; });

}  // namespace
}  // namespace continuo
