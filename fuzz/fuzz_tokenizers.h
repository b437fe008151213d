#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "continuo/core/check.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// The tokenizer that an input's first byte names: every preset of both releases, and some settings
/// that no preset has. Made once.
inline const Tokenizer& FuzzTokenizer(uint8_t number) {
  static const std::vector<std::unique_ptr<Tokenizer>> tokenizers = [] {
    std::vector<TokenizerConfig> configs;
    for (const std::string& preset : PresetNames()) {
      for (const MidiTokRelease release : {MidiTokRelease::k3_1_0, MidiTokRelease::k3_0_4}) {
        if (const auto config = PresetConfig(preset, release); config) {  // some came with 3.1.0
          configs.push_back(*config);
        }
      }
    }
    TokenizerConfig chords = PresetConfig("remichord", MidiTokRelease::k3_1_0).value();
    chords.chords = ChordSource::kRecognised;
    chords.use_time_signatures = true;
    chords.beat_res = {{0, 2, 12}, {2, 8, 3}};
    configs.push_back(chords);
    TokenizerConfig pedals = PresetConfig("tsd_all", MidiTokRelease::k3_1_0).value();
    pedals.sustain_pedal_duration = true;
    pedals.program_changes = true;
    configs.push_back(pedals);
    TokenizerConfig streams = PresetConfig("remi_all", MidiTokRelease::k3_1_0).value();
    streams.one_token_stream_for_programs = false;
    streams.use_bar_end_tokens = true;
    streams.add_trailing_bars = true;
    configs.push_back(streams);
    std::vector<std::unique_ptr<Tokenizer>> made;
    for (const TokenizerConfig& config : configs) {
      made.push_back(Tokenizer::Create(config).value());
    }
    return made;
  }();
  return *tokenizers[number % tokenizers.size()];
}

}  // namespace continuo
