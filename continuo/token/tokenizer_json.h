#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "continuo/core/result.h"
#include "continuo/token/tokenizer_config.h"

namespace continuo {

/// A tokenizer.json as read.
struct TokenizerJson {
  TokenizerConfig config;
  std::string vocab_sha256;  // empty where the file has none

  /// Of a tokenizer that was trained (BPE, ...): what the library `tokenizers` saved as text, the
  /// base tokens' ids, and the base token that each character of the model stands for. Empty for
  /// any other.
  std::string model;
  std::map<std::string, int64_t> base_ids;
  std::map<std::string, std::string> base_characters;
};

/// Reads MidiTok's tokenizer.json. `name` stands for the file in messages. The release is that of
/// our key `miditok`, else that of `miditok_version` where it is one of the two we know, else
/// `release`. Keys that are missing have the release's default. A key or value that we don't do is
/// refused by its name; so is a trained tokenizer unless `trained_too`.
Result<TokenizerJson> ParseTokenizerJson(std::string_view text, std::string_view name, MidiTokRelease release,
                                         bool trained_too = false);

/// Writes it, with the keys in MidiTok's order, plus `miditok` and `vocab_sha256`. Our
/// representations REMIChord and REMIPlan also have `chords`, and REMIPlan `plan`; MidiTok knows no
/// tokenizations of these names and refuses them.
std::string WriteTokenizerJson(const TokenizerConfig& config, std::string_view vocab_sha256);

}  // namespace continuo
