#include "continuo/token/tokenizer.h"

#include <algorithm>
#include <utility>

#include "continuo/core/hash.h"
#include "continuo/os/file.h"
#include "continuo/token/representation.h"
#include "continuo/token/table_tokenizer.h"
#include "continuo/token/tokenizer_json.h"
#include "continuo/token/trained_vocabulary.h"

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

Result<std::unique_ptr<Tokenizer>> Make(const TokenizerJson& json, std::string_view text) {
  CONTINUO_ASSIGN(TokenTables tables, BuildTokenTables(json.config));
  std::shared_ptr<const TrainedVocabulary> trained;
  if (!json.model.empty()) {
    CONTINUO_ASSIGN(trained, TrainedVocabulary::Create(json, std::string(text), tables));
  }
  return std::unique_ptr<Tokenizer>(std::make_unique<TableTokenizer>(std::move(tables), std::move(trained)));
}

Result<std::unique_ptr<Tokenizer>> MakeOf(const TokenizerJson& json, std::string_view text, const std::string& name) {
  Result<std::unique_ptr<Tokenizer>> tokenizer = Make(json, text);
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

template <typename FromText>
Result<std::unique_ptr<Tokenizer>> LoadWith(const std::string& spec, MidiTokRelease release,
                                            const FromText& from_text) {
  if (const std::optional<TokenizerConfig> preset = PresetConfig(spec, release)) {
    return Tokenizer::Create(*preset);
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
  return from_text(text, spec, release);
}

}  // namespace

Tokenizer::Tokenizer(TokenizerConfig config, Vocabulary vocabulary, std::shared_ptr<const TrainedVocabulary> trained)
    : config_(std::move(config)),
      vocabulary_(std::move(vocabulary)),
      vocabulary_sha256_(VocabularySha256(vocabulary_)),
      trained_(std::move(trained)) {}

Tokenizer::~Tokenizer() = default;

Result<std::unique_ptr<Tokenizer>> Tokenizer::Create(const TokenizerConfig& config) {
  CONTINUO_ASSIGN(TokenizerConfig normalized, NormalizeConfig(config));
  CONTINUO_ASSIGN(TokenTables tables, BuildTokenTables(normalized));
  return std::unique_ptr<Tokenizer>(std::make_unique<TableTokenizer>(std::move(tables)));
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::Load(const std::string& spec, MidiTokRelease release) {
  return LoadWith(spec, release, FromJson);
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::LoadPlainOrTrained(const std::string& spec, MidiTokRelease release) {
  return LoadWith(spec, release, FromPlainOrTrainedJson);
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::FromJson(std::string_view text, const std::string& name,
                                                       MidiTokRelease release) {
  CONTINUO_ASSIGN(const TokenizerJson json, ParseTokenizerJson(text, name, release));
  return MakeOf(json, text, name);
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::FromPlainOrTrainedJson(std::string_view text, const std::string& name,
                                                                     MidiTokRelease release) {
  CONTINUO_ASSIGN(const TokenizerJson json, ParseTokenizerJson(text, name, release, /*trained_too=*/true));
  return MakeOf(json, text, name);
}

std::string Tokenizer::ToJson() const {
  return trained_ ? trained_->json() : WriteTokenizerJson(config_, vocabulary_sha256_);
}

size_t Tokenizer::model_size() const {
  return trained_ ? trained_->size() : vocabulary_.size();
}

const std::string& Tokenizer::model_sha256() const {
  return trained_ ? trained_->sha256() : vocabulary_sha256_;
}

std::optional<TokenId> Tokenizer::ModelIdOf(std::optional<TokenId> token) const {
  if (!token || !trained_) {
    return token;
  }
  const TokenId id = trained_->IdOf(*token);
  return id == kNoToken ? std::nullopt : std::optional(id);
}

std::vector<size_t> Tokenizer::ModelBarOffsets(std::span<const TokenId> ids) const {
  std::vector<size_t> offsets = BarOffsets(FromModelIds(ids));
  if (!trained_) {
    return offsets;
  }
  size_t place = 0;   // in ids
  size_t tokens = 0;  // before it
  for (size_t& offset : offsets) {
    while (place < ids.size() && tokens < offset) {
      const bool known = ids[place] >= 0 && static_cast<size_t>(ids[place]) < trained_->size();
      tokens += known ? trained_->Tokens(ids[place]).size() : 0;
      ++place;
    }
    offset = place;
  }
  return offsets;
}

std::vector<TokenId> Tokenizer::FromModelIds(std::span<const TokenId> ids) const {
  return trained_ ? trained_->Decode(ids) : std::vector<TokenId>(ids.begin(), ids.end());
}

bool Tokenizer::one_stream() const {
  return config_.one_token_stream_for_programs || RepresentationOf(config_).base != nullptr;
}

}  // namespace continuo
