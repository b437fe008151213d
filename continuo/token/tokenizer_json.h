#pragma once

#include <string>
#include <string_view>

#include "continuo/core/result.h"
#include "continuo/token/tokenizer_config.h"

namespace continuo {

/// A tokenizer.json as read.
struct TokenizerJson {
  TokenizerConfig config;
  std::string vocab_sha256;  // empty where the file has none
};

/// Reads MidiTok's tokenizer.json. `name` stands for the file in messages. The release is that of
/// our key `miditok`, else that of `miditok_version` where it is one of the two we know, else
/// `release`. Keys that are missing have the release's default. A key or value that we don't do is
/// refused by its name.
Result<TokenizerJson> ParseTokenizerJson(std::string_view text, std::string_view name, MidiTokRelease release);

/// Writes it, with the keys in MidiTok's order, plus `miditok` and `vocab_sha256`. Our
/// representation REMIChord also has `chords`; MidiTok knows no tokenization of that name and
/// refuses it.
std::string WriteTokenizerJson(const TokenizerConfig& config, std::string_view vocab_sha256);

}  // namespace continuo
