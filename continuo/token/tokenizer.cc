#include "continuo/token/tokenizer.h"

#include <algorithm>
#include <utility>

#include "continuo/core/hash.h"
#include "continuo/os/file.h"
#include "continuo/token/table_tokenizer.h"
#include "continuo/token/tokenizer_json.h"

namespace continuo {

namespace {

constexpr uint64_t kMaxJsonBytes = uint64_t{64} << 20;

std::string VocabularySha256(const Vocabulary& vocabulary) {
  Sha256 hash;
  for (const std::string& token : vocabulary.tokens()) {
    hash.Update(token);
    hash.Update("\n");
  }
  return hash.FinishHex();
}

}  // namespace

Tokenizer::Tokenizer(TokenizerConfig config, Vocabulary vocabulary)
    : config_(std::move(config)),
      vocabulary_(std::move(vocabulary)),
      vocabulary_sha256_(VocabularySha256(vocabulary_)) {}

Tokenizer::~Tokenizer() = default;

Result<std::unique_ptr<Tokenizer>> Tokenizer::Create(const TokenizerConfig& config) {
  CONTINUO_ASSIGN(TokenizerConfig normalized, NormalizeConfig(config));
  CONTINUO_ASSIGN(TokenTables tables, BuildTokenTables(normalized));
  return std::unique_ptr<Tokenizer>(std::make_unique<TableTokenizer>(std::move(tables)));
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::Load(const std::string& spec, MidiTokRelease release) {
  if (const std::optional<TokenizerConfig> preset = PresetConfig(spec, release)) {
    return Create(*preset);
  }
  const std::filesystem::path path(spec);
  std::error_code missing;
  if (!std::filesystem::exists(path, missing)) {
    std::string names;
    for (const std::string& name : PresetNames()) {
      names += (names.empty() ? "" : ", ") + name;
    }
    return Error{fmt::format("{}: no such file, and no preset of that name", spec), fmt::format("presets: {}", names)};
  }
  CONTINUO_ASSIGN(const std::string text, ReadTextFile(path, kMaxJsonBytes));
  return FromJson(text, spec, release);
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::FromJson(std::string_view text, const std::string& name,
                                                       MidiTokRelease release) {
  CONTINUO_ASSIGN(const TokenizerJson json, ParseTokenizerJson(text, name, release));
  Result<std::unique_ptr<Tokenizer>> tokenizer = Create(json.config);
  if (!tokenizer.ok()) {
    return MakeError("{}: {}", name, tokenizer.error().message);
  }
  const std::string& sha256 = (*tokenizer)->vocabulary_sha256();
  if (!json.vocab_sha256.empty() && json.vocab_sha256 != sha256) {
    return MakeError("{}: vocab_sha256 is {}, but its settings make the vocabulary {}", name, json.vocab_sha256,
                     sha256);
  }
  return tokenizer;
}

std::string Tokenizer::ToJson() const {
  return WriteTokenizerJson(config_, vocabulary_sha256_);
}

bool Tokenizer::one_stream() const {
  return config_.one_token_stream_for_programs;
}

}  // namespace continuo
