#include "continuo/token/trained_tokenizer.h"

#include <utility>

#include "continuo/os/file.h"
#include "continuo/token/encode_trained.h"
#include "continuo/token/tokenizer_json.h"

namespace continuo {

namespace {

constexpr uint64_t kMaxJsonBytes = uint64_t{64} << 20;

}  // namespace

TrainedTokenizer::TrainedTokenizer(TokenTables tables, std::shared_ptr<const TrainedVocabulary> vocabulary)
    : base_(std::move(tables), std::move(vocabulary)) {}

Result<std::unique_ptr<TrainedTokenizer>> TrainedTokenizer::Load(const std::filesystem::path& path,
                                                                 MidiTokRelease release) {
  CONTINUO_ASSIGN(const std::string text, ReadTextFile(path, kMaxJsonBytes));
  return FromJson(text, path.string(), release);
}

Result<std::unique_ptr<TrainedTokenizer>> TrainedTokenizer::FromJson(std::string_view text, const std::string& name,
                                                                     MidiTokRelease release) {
  CONTINUO_ASSIGN(const TokenizerJson json, ParseTokenizerJson(text, name, release, /*trained_too=*/true));
  if (json.model.empty()) {
    return std::unique_ptr<TrainedTokenizer>();
  }
  CONTINUO_ASSIGN(TokenTables tables, BuildTokenTables(json.config));
  auto vocabulary = TrainedVocabulary::Create(json, std::string(text), tables);
  if (!vocabulary.ok()) {
    return MakeError("{}: {}", name, vocabulary.error().message);
  }
  return std::unique_ptr<TrainedTokenizer>(new TrainedTokenizer(std::move(tables), std::move(vocabulary).value()));
}

std::vector<std::vector<TokenId>> TrainedTokenizer::Encode(const Score& score) const {
  return EncodeTrained(score, base_.tables(), vocabulary());
}

Score TrainedTokenizer::Decode(std::span<const std::vector<TokenId>> tracks) const {
  std::vector<std::vector<TokenId>> tokens;
  for (const std::vector<TokenId>& ids : tracks) {
    tokens.push_back(vocabulary().Decode(ids));
  }
  return base_.Decode(tokens);
}

}  // namespace continuo
