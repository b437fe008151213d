#include "continuo/token/representation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "continuo/token/score_json_testing.h"
#include "continuo/token/tokenizer.h"

namespace continuo {
namespace {

using testing::HasSubstr;

/// Streams and windows by the names of their tokens.
class Words {
 public:
  explicit Words(const std::string& preset, size_t bars = 0)
      : tokenizer_(Tokenizer::Load(preset).value()), grammar_(tokenizer_->NewGrammar({bars})) {}

  std::vector<TokenId> Ids(const std::string& text) const {
    std::vector<TokenId> ids;
    std::istringstream words(text);
    for (std::string word; words >> word;) {
      ids.push_back(tokenizer_->vocabulary().Find(word).value());
    }
    return ids;
  }

  std::string Text(const std::vector<TokenId>& ids) const {
    std::string text;
    for (const TokenId id : ids) {
      text += (text.empty() ? "" : " ") + tokenizer_->vocabulary().token(id);
    }
    return text;
  }

  void Write(const std::string& text) {
    for (const TokenId id : Ids(text)) {
      ASSERT_TRUE(grammar_->Advance(id)) << tokenizer_->vocabulary().token(id) << " in " << text;
    }
  }

  bool Takes(const std::string& word) const { return grammar_->Clone()->Advance(Ids(word)[0]); }
  std::string Window(const std::string& text, size_t bar) const {
    return Text(tokenizer_->WindowFromBar(Ids(text), bar));
  }
  Score Decode(const std::string& text) const { return tokenizer_->Decode(Streams{Ids(text)}); }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const Grammar& grammar() const { return *grammar_; }

 private:
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<Grammar> grammar_;
};

TEST(RepresentationTest, ThoseOfSeveralIdsAtEachStepAreRefusedByName) {
  for (const std::string name : {"CPWord", "Octuple", "MuMIDI"}) {
    const auto tokenizer = Tokenizer::FromJson(R"({"tokenization": ")" + name + R"("})", "tokenizer.json");
    ASSERT_FALSE(tokenizer.ok());
    EXPECT_THAT(tokenizer.error().message, HasSubstr(name));
    EXPECT_THAT(tokenizer.error().message, HasSubstr("several ids at each step"));
  }
}

TEST(RepresentationTest, ThoseOf310AreRefusedFor304) {
  for (const std::string name : {"Structured", "BEAT", "PerTok", "MMM"}) {
    const std::string config =
        R"("config": {"additional_params": {)" + std::string(name == "MMM" ? R"("base_tokenizer": "TSD")" : "") + "}}";
    const auto tokenizer = Tokenizer::FromJson(
        R"({"tokenization": ")" + name + R"(", "miditok": "3.0.4", )" + config + "}", "tokenizer.json");
    ASSERT_FALSE(tokenizer.ok());
    EXPECT_THAT(tokenizer.error().message, HasSubstr("3.0.4 is not supported"));
  }
  for (const char* preset : {"structured_default", "beat_default", "pertok_default", "mmm_tsd_default"}) {
    EXPECT_FALSE(Tokenizer::Load(preset, MidiTokRelease::k3_0_4).ok());
  }
}

TEST(RepresentationTest, TrainedVocabulariesOfOthersAreRefused) {
  const auto tokenizer =
      Tokenizer::FromPlainOrTrainedJson(R"({"tokenization": "BEAT", "_model": "{}"})", "tokenizer.json");
  ASSERT_FALSE(tokenizer.ok());
  EXPECT_THAT(tokenizer.error().message, HasSubstr("_model: BEAT"));
}

// What MidiTok 3.1.0 makes of C4 and E4 together, one and two beats long, and G4 half a beat later.
TEST(RepresentationTest, ThreeNotesAreTheTokensOfTheDocumentation) {
  Score score;
  score.ticks_per_quarter = 8;
  score.tempos = {{0, 500000}};
  score.time_signatures = {{0, 4, 4}};
  score.tracks.emplace_back().notes = {{0, 8, 60, 64}, {0, 16, 64, 64}, {4, 4, 67, 100}};
  const Words structured("structured_default");
  EXPECT_EQ(structured.Text(structured.tokenizer().Encode(score)[0]),
            "TimeShift_0.0.1 Pitch_60 Velocity_63 Duration_1.0.8 TimeShift_0.0.1 Pitch_64 Velocity_63 Duration_2.0.8 "
            "TimeShift_0.4.8 Pitch_67 Velocity_99 Duration_0.4.8");
  const Words beat("beat_default");
  EXPECT_EQ(beat.Text(beat.tokenizer().Encode(score)[0]),
            "Bar_None TimeSig_4/4 Beat_None Program_0 Pitch_67 Pattern_5 Velocity_99 Pitch_3 Pattern_53 Velocity_63 "
            "Pitch_4 Pattern_53 Velocity_63 Beat_None Program_0 Pitch_64 Pattern_80 Velocity_63");
  const Words pertok("pertok_default");
  EXPECT_EQ(pertok.Text(pertok.tokenizer().Encode(score)[0]),
            "TimeSig_4/4 Pitch_60 MicroTiming_0 Velocity_63 Duration_1.0.320 Pitch_64 MicroTiming_0 Velocity_63 "
            "Duration_2.0.320 TimeShift_0.160.320 Pitch_67 MicroTiming_0 Velocity_99 Duration_0.160.320");
  const Words mmm("mmm_remi_default");
  EXPECT_EQ(mmm.Text(mmm.tokenizer().Encode(score)[0]),
            "Track_Start Program_0 Bar_None TimeSig_4/4 Position_0 Pitch_60 Velocity_63 Duration_1.0.8 Pitch_64 "
            "Velocity_63 Duration_2.0.8 Position_4 Pitch_67 Velocity_99 Duration_0.4.8 Track_End");
}

TEST(RepresentationTest, MmmNeedsABaseThatItKnows) {
  for (const std::string params : {"{}", R"({"base_tokenizer": "BEAT"})", R"({"base_tokenizer": 3})", "[]"}) {
    const auto tokenizer = Tokenizer::FromJson(
        R"({"tokenization": "MMM", "config": {"additional_params": )" + params + "}}", "tokenizer.json");
    ASSERT_FALSE(tokenizer.ok());
    EXPECT_THAT(tokenizer.error().message, HasSubstr("additional_params.base_tokenizer"));
    EXPECT_THAT(tokenizer.error().message, HasSubstr("REMI, MIDILike, TSD"));
  }
}

TEST(RepresentationTest, SettingsOfPerTokAreRefusedByName) {
  for (const auto& [setting, name] : std::map<std::string, std::string>{
           {R"("additional_params": {"ticks_per_quarter": 0})", "additional_params.ticks_per_quarter"},
           {R"("additional_params": {"max_microtiming_shift": -1})", "additional_params.max_microtiming_shift"},
           {R"("additional_params": {"num_microtiming_bins": 0})", "additional_params.num_microtiming_bins"},
           {R"("additional_params": {"ticks_per_quarter": 4})", "beat_res"},
           {R"("use_sustain_pedals": true, "sustain_pedal_duration": true)", "sustain_pedal_duration"}}) {
    const auto tokenizer =
        Tokenizer::FromJson(R"({"tokenization": "PerTok", "config": {)" + setting + "}}", "tokenizer.json");
    ASSERT_FALSE(tokenizer.ok()) << setting;
    EXPECT_THAT(tokenizer.error().message, HasSubstr(name));
  }
}

// MidiTok's ids, of a file of one tick a quarter: a Bar token for each bar before the note.
TEST(PerTokTest, ANoteAfterALongSilenceStaysWhereItIs) {
  const auto tokenizer = Tokenizer::Load("pertok_default").value();
  constexpr Tick kQuarter = 300'001;
  Score score;
  score.ticks_per_quarter = 1;
  score.tracks.resize(1);
  score.tracks[0].notes = {{.time = kQuarter, .duration = 2, .pitch = 60, .velocity = 63}};
  const Streams streams = tokenizer->Encode(score);
  const auto bar = tokenizer->vocabulary().Find("Bar_None").value();
  EXPECT_EQ(std::ranges::count(streams.at(0), bar), kQuarter / 4);
  const Score decoded = tokenizer->Decode(streams);
  EXPECT_EQ(decoded.tracks.at(0).notes.at(0).time, int64_t{kQuarter} * decoded.ticks_per_quarter);
}

TEST(PerTokGrammarTest, NotesStayWithinTheBars) {
  Words words("pertok_default", 2);
  words.Write("TimeSig_3/4 Pitch_60");
  EXPECT_FALSE(words.Takes("MicroTiming_-3"));  // before the start
  words.Write("MicroTiming_2 Velocity_127 Duration_1.0.320");
  EXPECT_FALSE(words.Takes("TimeSig_4/4"));
  EXPECT_FALSE(words.Takes("EOS_None"));
  words.Write("Bar_None");
  EXPECT_EQ(words.grammar().bars(), 2U);
  EXPECT_FALSE(words.Takes("Bar_None"));
  EXPECT_FALSE(words.Takes("TimeShift_3.0.320"));
  words.Write("TimeShift_2.280.320 Pitch_62");
  EXPECT_TRUE(words.Takes("MicroTiming_0"));
  EXPECT_FALSE(words.Takes("MicroTiming_2"));  // leaves no room for a length
  words.Write("MicroTiming_-6 Velocity_127 Duration_0.40.320");
  EXPECT_TRUE(words.Takes("EOS_None"));
  words.Write("Bar_None");
  EXPECT_TRUE(words.grammar().complete());
}

TEST(PerTokWindowTest, TheFirstBarHasNoBarToken) {
  const Words words("pertok_default");
  const std::string note = " Pitch_60 MicroTiming_0 Velocity_127 Duration_1.0.320 ";
  EXPECT_EQ(words.Window("TimeSig_3/4" + note + "Bar_None TimeShift_1.0.320" + note + "Bar_None" + note, 1),
            "TimeSig_3/4 TimeShift_1.0.320" + note.substr(0, note.size() - 1) + " Bar_None" +
                note.substr(0, note.size() - 1));
}

TEST(MmmGrammarTest, EveryTrackHasItsBarsAndTheSignaturesOfTheFirst) {
  Words words("mmm_remi_default", 2);
  const std::string note = "Position_0 Pitch_60 Velocity_127 Duration_1.0.8 ";
  EXPECT_FALSE(words.Takes("Program_0"));
  words.Write("Track_Start");
  EXPECT_FALSE(words.Takes("Bar_None"));
  words.Write("Program_0 Bar_None TimeSig_3/4 " + note);
  EXPECT_FALSE(words.Takes("Track_End"));
  words.Write("Bar_None TimeSig_4/4 " + note);
  EXPECT_FALSE(words.Takes("Bar_None"));
  EXPECT_FALSE(words.Takes("EOS_None"));
  words.Write("Track_End Track_Start Program_5 Bar_None");
  EXPECT_FALSE(words.Takes("TimeSig_4/4"));
  words.Write("TimeSig_3/4 Bar_None TimeSig_4/4 " + note + "Track_End");
  EXPECT_FALSE(words.grammar().complete());
  words.Write("EOS_None");
  EXPECT_TRUE(words.grammar().complete());
  EXPECT_EQ(words.grammar().bars(), 2U);
}

TEST(MmmWindowTest, EachTrackBeginsWithTheBar) {
  const Words words("mmm_remi_default");
  const std::string head = "Track_Start Program_3 Bar_None TimeSig_4/4 ";
  const std::string note = "Position_0 Pitch_60 Velocity_127 Duration_1.0.8 ";
  const std::string track = head + note + "Bar_None TimeSig_4/4 " + note;
  EXPECT_EQ(words.Window(track + "Track_End " + head + note + "Track_End " + head, 1),
            head + note + "Track_End Track_Start Program_3");
}

TEST(StructuredGrammarTest, EveryNoteIsTheSameRow) {
  Words words("structured_default");
  EXPECT_TRUE(words.Takes("TimeShift_0.0.1"));
  EXPECT_FALSE(words.Takes("Pitch_60"));
  words.Write("TimeShift_1.0.8");
  EXPECT_FALSE(words.Takes("TimeShift_1.0.8"));
  words.Write("Pitch_60");
  EXPECT_FALSE(words.Takes("Duration_1.0.8"));
  words.Write("Velocity_127 Duration_1.0.8");
  EXPECT_FALSE(words.Takes("Pitch_60"));
  EXPECT_TRUE(words.Takes("EOS_None"));
}

TEST(StructuredGrammarTest, AShiftToTheEndClosesThePiece) {
  Words words("structured_default", 1);
  words.Write("TimeShift_3.0.8");
  EXPECT_FALSE(words.Takes("TimeShift_1.0.8"));
  words.Write("Pitch_60 Velocity_127");
  EXPECT_TRUE(words.Takes("Duration_1.0.8"));
  EXPECT_FALSE(words.Takes("Duration_1.1.8"));  // past the end
  words.Write("Duration_1.0.8 TimeShift_2.0.8");
  EXPECT_TRUE(words.grammar().complete());
  EXPECT_EQ(words.grammar().bars(), 1U);
}

TEST(StructuredWindowTest, TheFirstNoteKeepsItsPlaceInTheBar) {
  const Words words("structured_default");
  const std::string note = " Pitch_60 Velocity_127 Duration_1.0.8 ";
  EXPECT_EQ(words.Window("TimeShift_0.0.1" + note + "TimeShift_5.0.4" + note + "TimeShift_0.0.1" + note, 1),
            "TimeShift_1.0.8 Pitch_60 Velocity_127 Duration_1.0.8 TimeShift_0.0.1 Pitch_60 Velocity_127 "
            "Duration_1.0.8");
  EXPECT_EQ(words.Window("TimeShift_0.0.1" + note, 1), "");
}

TEST(StructuredDecodeTest, AStreamWithoutProgramHasTheLastOfTheStreamBefore) {
  const auto tokenizer = Tokenizer::FromJson(
      R"({"tokenization": "Structured", "config": {"use_programs": true, "one_token_stream_for_programs": false}})",
      "tokenizer.json");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().ToString();
  const auto ids = [&](const std::string& text) {
    std::vector<TokenId> found;
    std::istringstream words(text);
    for (std::string word; words >> word;) {
      found.push_back((*tokenizer)->vocabulary().Find(word).value());
    }
    return found;
  };
  const std::string note = " Pitch_60 Velocity_63 Duration_1.0.8 ";
  const Score score =
      (*tokenizer)
          ->Decode(Streams{ids("TimeShift_0.0.1 Program_30" + note + "TimeShift_0.0.1 Program_40" + note),
                           ids("TimeShift_0.0.1" + note)});
  ASSERT_EQ(score.tracks.size(), 2U);
  EXPECT_EQ(score.tracks[0].program, 30);  // as MidiTok 3.1.0 decodes them
  EXPECT_EQ(score.tracks[1].program, 40);
  EXPECT_EQ(score.tracks[1].name, "Violin");
}

TEST(BeatGrammarTest, OnlyWhatSoundsIsSustained) {
  Words words("beat_default");
  words.Write("Bar_None TimeSig_4/4 Beat_None Program_0 Pitch_60");
  EXPECT_FALSE(words.Takes("Pattern_80"));  // 2222
  EXPECT_FALSE(words.Takes("Pattern_0"));
  EXPECT_FALSE(words.Takes("Pattern_29"));  // 1002
  words.Write("Pattern_53 Velocity_127");   // 1222
  EXPECT_FALSE(words.Takes("Pitch_0"));
  EXPECT_TRUE(words.Takes("Pitch_39"));
  EXPECT_FALSE(words.Takes("Pitch_40"));  // to key 20, which is below the range
  words.Write("Beat_None Program_0 Pitch_60");
  EXPECT_TRUE(words.Takes("Pattern_80"));
  EXPECT_FALSE(words.Takes("Pattern_56"));  // 2002
}

TEST(BeatGrammarTest, ABarHasItsBeats) {
  Words words("beat_default", 2);
  words.Write("Bar_None TimeSig_2/4 Beat_None Rest_None");
  EXPECT_FALSE(words.Takes("Bar_None"));
  words.Write("Beat_None Rest_None");
  EXPECT_FALSE(words.Takes("Beat_None"));
  words.Write("Bar_None Beat_None Rest_None Beat_None");
  EXPECT_FALSE(words.Takes("Rest_None"));  // the last bar has no note yet
  words.Write("Program_0 Pitch_60");
  EXPECT_FALSE(words.Takes("Pattern_80"));
  words.Write("Pattern_27 Velocity_127");
  EXPECT_TRUE(words.Takes("EOS_None"));
  words.Write("Bar_None");
  EXPECT_TRUE(words.grammar().complete());
  EXPECT_EQ(words.grammar().bars(), 2U);
}

TEST(BeatGrammarTest, TracksOfOneProgramAreInEveryBeat) {
  Words words("beat_default");
  const std::string key = " Pitch_60 Pattern_27 Velocity_127 ";
  words.Write("Bar_None TimeSig_4/4 Beat_None Program_5" + key + "Program_5 Rest_None Beat_None");
  EXPECT_FALSE(words.Takes("Rest_None"));
  EXPECT_FALSE(words.Takes("Program_6"));
  EXPECT_TRUE(words.Takes("Program_4"));
  words.Write("Program_5" + key);
  EXPECT_FALSE(words.Takes("Beat_None"));
  EXPECT_FALSE(words.Takes("Program_6"));
  words.Write("Program_5 Rest_None");
  EXPECT_FALSE(words.Takes("Program_5"));
  EXPECT_TRUE(words.Takes("Beat_None"));
  EXPECT_EQ(words.Decode("Bar_None TimeSig_4/4 Beat_None Program_5 Rest_None Program_5" + key).tracks.size(), 2U);
}

TEST(BeatWindowTest, NotesThatSoundIntoItBeginAnew) {
  const Words words("beat_default");
  const std::string head = "Bar_None TimeSig_1/4 Beat_None Program_0 Pitch_60 ";
  EXPECT_EQ(
      words.Window(head + "Pattern_53 Velocity_127 Bar_None Beat_None Program_0 Pitch_60 Pattern_78 Velocity_99", 1),
      "Bar_None TimeSig_1/4 Beat_None Program_0 Pitch_60 Pattern_51 Velocity_99");
  EXPECT_EQ(words.Window(head + "Pattern_53 Velocity_127 Bar_None TimeSig_4/4 Beat_None Rest_None", 1),
            "Bar_None TimeSig_4/4 Beat_None Rest_None");
}

TEST(BeatTest, KeysAreNotTransposed) {
  const Words words("beat_default");
  const std::vector<TokenId> up = words.tokenizer().TransposeMap(1);
  EXPECT_EQ(up[static_cast<size_t>(words.Ids("Pitch_60")[0])], kNoToken);
  EXPECT_EQ(words.tokenizer().TransposeMap(0)[static_cast<size_t>(words.Ids("Pitch_60")[0])], words.Ids("Pitch_60")[0]);
}

}  // namespace
}  // namespace continuo
