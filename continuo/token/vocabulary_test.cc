#include "continuo/token/vocabulary.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "continuo/score/chord.h"
#include "continuo/token/tokenizer.h"

namespace continuo {
namespace {

std::string TimeText(const BeatLength& length) {
  return fmt::format("{}.{}.{}", length.beats, length.parts, length.resolution);
}

// What the token's name must say, or the name itself where MidiTok's spelling is not derived from
// the value.
std::string ExpectedName(const Vocabulary& vocabulary, TokenId id, bool note_on_off) {
  const auto [type, value] = vocabulary.info(id);
  switch (type) {
    case TokenType::kBar:
      return "Bar_None";
    case TokenType::kBarEnd:
      return "Bar_End";
    case TokenType::kPosition:
      return fmt::format("Position_{}", value);
    case TokenType::kPitch:
      return fmt::format("{}_{}", note_on_off ? "NoteOn" : "Pitch", value);
    case TokenType::kPitchDrum:
      return fmt::format("{}_{}", note_on_off ? "DrumOn" : "PitchDrum", value);
    case TokenType::kNoteOff:
      return fmt::format("NoteOff_{}", value);
    case TokenType::kDrumOff:
      return fmt::format("DrumOff_{}", value);
    case TokenType::kVelocity:
      return fmt::format("Velocity_{}", value);
    case TokenType::kDuration:
      return "Duration_" + TimeText(vocabulary.length(id));
    case TokenType::kTimeShift:
      return "TimeShift_" + TimeText(vocabulary.length(id));
    case TokenType::kRest:
      return "Rest_" + TimeText(vocabulary.length(id));
    case TokenType::kProgram:
      return fmt::format("Program_{}", value);
    case TokenType::kTimeSig:
      return fmt::format("TimeSig_{}/{}", vocabulary.time_signature(id).numerator,
                         vocabulary.time_signature(id).denominator);
    case TokenType::kPedal:
      return fmt::format("Pedal_{}", value);
    case TokenType::kPedalOff:
      return fmt::format("PedalOff_{}", value);
    case TokenType::kPitchBend:
      return fmt::format("PitchBend_{}", value);
    case TokenType::kChord:
      return "Chord_" + Chord::FromIndex(static_cast<size_t>(value)).Text();
    case TokenType::kRepeat:
      return fmt::format("Repeat_{}", value);
    case TokenType::kDensity:
      return fmt::format("Density_{}", value);
    case TokenType::kLoudness:
      return fmt::format("Loudness_{}", value);
    case TokenType::kNoShift:
      return "TimeShift_0.0.1";
    case TokenType::kBeat:
      return "Beat_None";
    case TokenType::kSilence:
      return "Rest_None";
    case TokenType::kKey:
      return fmt::format("Pitch_{}", value);
    case TokenType::kDrumKey:
      return fmt::format("PitchDrum_{}", value);
    case TokenType::kPattern:
      return fmt::format("Pattern_{}", value);
    case TokenType::kMicroTiming:
      return fmt::format("MicroTiming_{}", value);
    case TokenType::kSpecial:
    case TokenType::kNoteChord:
    case TokenType::kTempo:
      return vocabulary.token(id);
  }
  return "no type";
}

TokenizerConfig Everything(TokenizationKind kind) {
  TokenizerConfig config;
  config.kind = kind;
  config.use_chords = true;
  config.use_rests = true;
  config.use_tempos = true;
  config.use_time_signatures = true;
  config.use_programs = true;
  config.use_sustain_pedals = true;
  config.use_pitch_bends = true;
  return config;
}

TEST(VocabularyTest, ATokenMeansWhatItsNameSays) {
  std::vector<TokenizerConfig> configs = {Everything(TokenizationKind::kRemi), Everything(TokenizationKind::kTsd),
                                          Everything(TokenizationKind::kMidiLike)};
  for (const MidiTokRelease release : {MidiTokRelease::k3_0_4, MidiTokRelease::k3_1_0}) {
    for (const std::string& preset : PresetNames()) {
      if (const std::optional<TokenizerConfig> config = PresetConfig(preset, release)) {
        configs.push_back(*config);
      }
    }
  }
  for (const TokenizerConfig& config : configs) {
    const auto tokenizer = Tokenizer::Create(config).value();
    const Vocabulary& vocabulary = tokenizer->vocabulary();
    for (TokenId id = 0; id < static_cast<TokenId>(vocabulary.size()); ++id) {
      const auto [type, value] = vocabulary.info(id);
      const bool note_on_off =
          config.kind == TokenizationKind::kMidiLike || config.kind == TokenizationKind::kMmmMidiLike;
      EXPECT_EQ(vocabulary.token(id), ExpectedName(vocabulary, id, note_on_off));
      EXPECT_TRUE(vocabulary.range(type).Contains(id)) << vocabulary.token(id);
      if (type != TokenType::kNoteChord) {  // several qualities share a root
        EXPECT_EQ(vocabulary.id(type, value), id) << vocabulary.token(id);
      }
      if (type == TokenType::kTempo) {
        EXPECT_EQ(vocabulary.tempo(id), std::strtod(vocabulary.token(id).c_str() + 6, nullptr));
      }
    }
  }
}

TEST(VocabularyTest, TheFirstTokenOfANoteBeginsIt) {
  const auto tokenizer = Tokenizer::Create(Everything(TokenizationKind::kMidiLike)).value();
  const Vocabulary& vocabulary = tokenizer->vocabulary();
  size_t notes = 0;
  for (TokenId id = 0; id < static_cast<TokenId>(vocabulary.size()); ++id) {
    const std::string& name = vocabulary.token(id);
    EXPECT_EQ(vocabulary.begins_note(id), name.starts_with("NoteOn_") || name.starts_with("DrumOn_")) << name;
    notes += vocabulary.begins_note(id) ? 1 : 0;
  }
  EXPECT_EQ(static_cast<TokenId>(notes),
            vocabulary.range(TokenType::kPitch).count + vocabulary.range(TokenType::kPitchDrum).count);
}

TEST(VocabularyTest, TypesAndValuesThatAreMissingHaveNoId) {
  const auto tokenizer = Tokenizer::Load("remi").value();
  const Vocabulary& vocabulary = tokenizer->vocabulary();
  EXPECT_FALSE(vocabulary.has(TokenType::kProgram));
  EXPECT_EQ(vocabulary.id(TokenType::kProgram, 0), std::nullopt);
  EXPECT_EQ(vocabulary.id(TokenType::kPitch, 0), std::nullopt);
  EXPECT_EQ(vocabulary.id(TokenType::kPitch, 60), vocabulary.Find("Pitch_60"));
  EXPECT_EQ(vocabulary.Find("Pitch_0"), std::nullopt);
}

TEST(VocabularyTest, SpecialTokensAreFoundByTheirNames) {
  TokenizerConfig config = *PresetConfig("remi", MidiTokRelease::k3_1_0);
  config.special_tokens = {"PAD_None", "EOS_None", "MINE_None"};
  const auto tokenizer = Tokenizer::Create(config).value();
  const Vocabulary& vocabulary = tokenizer->vocabulary();
  EXPECT_EQ(vocabulary.pad(), 0);
  EXPECT_EQ(vocabulary.eos(), 1);
  EXPECT_EQ(vocabulary.bos(), std::nullopt);
  EXPECT_EQ(vocabulary.range(TokenType::kSpecial).count, 3);
}

}  // namespace
}  // namespace continuo
