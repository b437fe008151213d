#include "continuo/token/tokenizer_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "continuo/token/tokenizer.h"

namespace continuo {
namespace {

using testing::HasSubstr;

Result<TokenizerJson> Parse(const std::string& text) {
  return ParseTokenizerJson(text, "t.json", MidiTokRelease::k3_1_0);
}

std::string ErrorOf(const std::string& text) {
  const Result<TokenizerJson> result = Parse(text);
  return result.ok() ? "no error" : result.error().message;
}

TEST(TokenizerJsonTest, ReadsBackWhatItWrites) {
  for (const std::string& preset : PresetNames()) {
    for (MidiTokRelease release : {MidiTokRelease::k3_0_4, MidiTokRelease::k3_1_0}) {
      const std::optional<TokenizerConfig> found = PresetConfig(preset, release);
      if (!found) {
        continue;  // of 3.1.0 alone
      }
      TokenizerConfig config = NormalizeConfig(*found).value();
      const TokenizerJson read = Parse(WriteTokenizerJson(config, "abc")).value();
      // The programs come in the order of a Python set, which is a detail of how they are numbered.
      config.programs = read.config.programs;
      config.use_note_duration_programs = read.config.use_note_duration_programs;
      EXPECT_EQ(read.config, config) << preset;
      EXPECT_EQ(read.vocab_sha256, "abc");
    }
  }
}

TEST(TokenizerJsonTest, ReadsEveryKind) {
  EXPECT_EQ(Parse(R"({"tokenization": "TSD"})")->config.kind, TokenizationKind::kTsd);
  EXPECT_EQ(Parse(R"({"tokenization": "MIDILike"})")->config.kind, TokenizationKind::kMidiLike);
}

TEST(TokenizerJsonTest, TakesTheReleaseFromOurKeyThenFromMidiToks) {
  EXPECT_EQ(Parse(R"({"tokenization": "REMI", "miditok_version": "3.0.4"})")->config.release, MidiTokRelease::k3_0_4);
  EXPECT_EQ(Parse(R"({"tokenization": "REMI", "miditok_version": "3.0.4", "miditok": "3.1.0"})")->config.release,
            MidiTokRelease::k3_1_0);
  EXPECT_EQ(Parse(R"({"tokenization": "REMI", "miditok_version": "2.0.0"})")->config.release, MidiTokRelease::k3_1_0);
}

TEST(TokenizerJsonTest, KeepsTheOrderOfObjects) {
  const TokenizerConfig config =
      Parse(R"({"tokenization": "REMI", "config": {"time_signature_range": {"8": [6, 3], "4": [4]}}})")->config;
  EXPECT_EQ(config.time_signature_range, (std::vector<MeterRange>{{8, {6, 3}}, {4, {4}}}));
}

TEST(TokenizerJsonTest, ReadsLongestDurationsAsListOrText) {
  const std::array<int, 3> expected{4, 480, 120};
  EXPECT_EQ(Parse(R"({"tokenization": "MIDILike", "config": {"additional_params": {"max_duration": [4, 480, 120]}}})")
                ->config.max_duration,
            expected);
  EXPECT_EQ(Parse(R"({"tokenization": "MIDILike", "config": {"additional_params": {"max_duration": "4.480.120"}}})")
                ->config.max_duration,
            expected);
}

TEST(TokenizerJsonTest, RefusesByNameWhatItDoesNotDo) {
  for (const std::string kind : {"CPWord", "Octuple", "MuMIDI"}) {  // several ids for each step
    EXPECT_THAT(ErrorOf(R"({"tokenization": ")" + kind + "\"}"), HasSubstr(kind));
  }
  EXPECT_THAT(ErrorOf(R"({"config": {}})"), HasSubstr("tokenization"));
  EXPECT_THAT(ErrorOf(R"({"tokenization": "REMI", "_model": "{}"})"), HasSubstr("_model"));
  EXPECT_THAT(ErrorOf(R"({"tokenization": "REMI", "strange": 1})"), HasSubstr("strange"));
  EXPECT_THAT(ErrorOf(R"({"tokenization": "REMI", "miditok": "4.0.0"})"), HasSubstr("4.0.0"));
  for (const char* key : {"use_pitch_intervals", "use_key_signatures", "use_control_changes", "ac_polyphony_track",
                          "ac_repetition_track", "ac_note_density_bar"}) {
    EXPECT_THAT(ErrorOf(std::string(R"({"tokenization": "REMI", "config": {")") + key + R"(": true}})"),
                HasSubstr(key));
  }
  EXPECT_THAT(ErrorOf(R"({"tokenization": "REMI", "config": {"new_key": 1}})"), HasSubstr("new_key"));
  EXPECT_THAT(ErrorOf(R"({"tokenization": "REMI", "config": {"additional_params": {"max_bar_embedding": 9}}})"),
              HasSubstr("max_bar_embedding"));
  EXPECT_THAT(ErrorOf(R"({"tokenization": "REMI", "config": {"additional_params": {"other": 9}}})"),
              HasSubstr("other"));
}

TEST(TokenizerJsonTest, RefusesWrongTypesByTheirKey) {
  const auto config = [](const std::string& setting) {
    return ErrorOf(R"({"tokenization": "REMI", "config": {)" + setting + "}}");
  };
  EXPECT_THAT(config(R"("pitch_range": [21])"), HasSubstr("pitch_range"));
  EXPECT_THAT(config(R"("pitch_range": [21.5, 109])"), HasSubstr("pitch_range"));
  EXPECT_THAT(config(R"("num_velocities": "32")"), HasSubstr("num_velocities"));
  EXPECT_THAT(config(R"("num_velocities": 99999999999999999999)"), HasSubstr("num_velocities"));
  EXPECT_THAT(config(R"("use_chords": 1)"), HasSubstr("use_chords"));
  EXPECT_THAT(config(R"("beat_res": {"0-4": 8})"), HasSubstr("beat_res"));
  EXPECT_THAT(config(R"("beat_res": {"0_x": 8})"), HasSubstr("beat_res"));
  EXPECT_THAT(config(R"("beat_res": [])"), HasSubstr("beat_res"));
  EXPECT_THAT(config(R"("chord_maps": {"maj": "x"})"), HasSubstr("chord_maps"));
  EXPECT_THAT(config(R"("tempo_range": [1])"), HasSubstr("tempo_range"));
  EXPECT_THAT(config(R"("tempo_range": [1e999, 2])"), HasSubstr("t.json"));
  EXPECT_THAT(config(R"("special_tokens": [1])"), HasSubstr("special_tokens"));
  EXPECT_THAT(config(R"("time_signature_range": {"4": [1], "x": []})"), HasSubstr("time_signature_range"));
}

TEST(TokenizerJsonTest, SurvivesWhatIsNoJson) {
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("nonsense"), std::string("[1,2"), std::string("\xff\xfe"),
        std::string(100000, '['), std::string("null"), std::string(R"({"config": )") + std::string(50000, '{')}) {
    EXPECT_FALSE(Parse(text).ok());
  }
}

TEST(TokenizerJsonTest, NamesTheFileAndTheKey) {
  EXPECT_EQ(ErrorOf(R"({"tokenization": "REMI", "config": {"num_velocities": 0}})"),
            "t.json: num_velocities is 0, expected 1 to 127");
}

}  // namespace
}  // namespace continuo
