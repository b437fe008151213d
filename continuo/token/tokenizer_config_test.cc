#include "continuo/token/tokenizer_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace continuo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(TokenizerConfigTest, ReleasesDifferInTheirDefaults) {
  EXPECT_FALSE(DefaultConfig(TokenizationKind::kRemi, MidiTokRelease::k3_0_4).use_time_signatures);
  EXPECT_TRUE(DefaultConfig(TokenizationKind::kRemi, MidiTokRelease::k3_1_0).use_time_signatures);
}

TEST(TokenizerConfigTest, UnknownPresetsAreNone) {
  EXPECT_FALSE(PresetConfig("remi2", MidiTokRelease::k3_1_0).has_value());
  EXPECT_TRUE(PresetConfig("hw_midilike", MidiTokRelease::k3_1_0)->max_duration.has_value());
}

TEST(TokenizerConfigTest, SpecialTokensAreFormatted) {
  TokenizerConfig config = DefaultConfig(TokenizationKind::kRemi, MidiTokRelease::k3_1_0);
  config.special_tokens = {"BOS", "EOS_None", "A_B_C", "BOS"};
  EXPECT_THAT(NormalizeConfig(config)->special_tokens, ElementsAre("BOS_None", "EOS_None", "A-B_C", "PAD_None"));
}

TEST(TokenizerConfigTest, WhatCountsOnlyWithOtherThingsGoesWithThem) {
  TokenizerConfig config = DefaultConfig(TokenizationKind::kRemi, MidiTokRelease::k3_1_0);
  config.program_changes = true;
  config.sustain_pedal_duration = true;
  config.use_rests = true;
  config.use_note_duration_programs = {0, 1};
  const TokenizerConfig normal = NormalizeConfig(config).value();
  EXPECT_FALSE(normal.one_token_stream_for_programs);
  EXPECT_FALSE(normal.program_changes);
  EXPECT_FALSE(normal.sustain_pedal_duration);
  EXPECT_FALSE(normal.use_rests);
}

TEST(TokenizerConfigTest, ImpossibleValuesAreRefusedByTheirKey) {
  const std::vector<std::pair<std::string, std::function<void(TokenizerConfig&)>>> breaks{
      {"pitch_range", [](TokenizerConfig& c) { c.pitch_range = {60, 128}; }},
      {"drums_pitch_range", [](TokenizerConfig& c) { c.drums_pitch_range = {60, 60}; }},
      {"beat_res", [](TokenizerConfig& c) { c.beat_res = {}; }},
      {"beat_res", [](TokenizerConfig& c) { c.beat_res = {{0, 4, 8}, {2, 6, 4}}; }},
      {"beat_res", [](TokenizerConfig& c) { c.beat_res = {{0, 4, 0}}; }},
      {"beat_res", [](TokenizerConfig& c) { c.beat_res = {{0, 4000, 1000}}; }},
      {"beat_res_rest",
       [](TokenizerConfig& c) {
         c.use_rests = true;
         c.beat_res_rest = {{0, 1, 16}};
       }},
      {"num_velocities", [](TokenizerConfig& c) { c.num_velocities = 0; }},
      {"num_tempos", [](TokenizerConfig& c) { c.num_tempos = 0; }},
      {"tempo_range", [](TokenizerConfig& c) { c.tempo_range = {0, 100}; }},
      {"time_signature_range", [](TokenizerConfig& c) { c.time_signature_range = {{8, {6}}}; }},
      {"time_signature_range", [](TokenizerConfig& c) { c.time_signature_range = {{4, {0}}}; }},
      {"time_signature_range", [](TokenizerConfig& c) { c.time_signature_range = {{4, {4}}, {3, {4}}}; }},
      {"chord_maps", [](TokenizerConfig& c) { c.chord_maps = {{"a_b", {0, 4}}}; }},
      {"chord_unknown", [](TokenizerConfig& c) { c.chord_unknown = {5, 3}; }},
      {"programs", [](TokenizerConfig& c) { c.programs = {128}; }},
      {"use_note_duration_programs", [](TokenizerConfig& c) { c.use_note_duration_programs = {-2}; }},
      {"pitch_bend_range", [](TokenizerConfig& c) { c.pitch_bend_range = {0, 9000, 4}; }},
      {"default_note_duration", [](TokenizerConfig& c) { c.default_note_duration = 0; }},
      {"max_duration", [](TokenizerConfig& c) { c.max_duration = {1, 0, 0}; }},
      {"special_tokens", [](TokenizerConfig& c) { c.special_tokens = {"A\nB"}; }},
  };
  for (const auto& [key, change] : breaks) {
    TokenizerConfig config = DefaultConfig(TokenizationKind::kRemi, MidiTokRelease::k3_1_0);
    change(config);
    const Result<TokenizerConfig> result = NormalizeConfig(config);
    ASSERT_FALSE(result.ok()) << key;
    EXPECT_THAT(result.error().message, HasSubstr(key));
  }
}

}  // namespace
}  // namespace continuo
