#include "continuo/token/tokenizer.h"

#include <algorithm>
#include <utility>

#include "continuo/core/hash.h"
#include "continuo/os/file.h"
#include "continuo/score/chord.h"
#include "continuo/token/encode_trained.h"
#include "continuo/token/representation.h"
#include "continuo/token/stream_state.h"
#include "continuo/token/token_tables.h"
#include "continuo/token/tokenizer_json.h"
#include "continuo/token/trained_vocabulary.h"

namespace continuo {

namespace {

constexpr uint64_t kMaxJsonBytes = uint64_t{64} << 20;

std::vector<BeatLength> Lengths(const std::vector<std::array<int, 3>>& times) {
  std::vector<BeatLength> lengths;
  for (const auto& [beats, parts, resolution] : times) {
    lengths.push_back({beats, parts, resolution});
  }
  return lengths;
}

Vocabulary VocabularyOf(const TokenTables& tables) {
  TokenValues values{tables.tempos, {}, Lengths(tables.durations), Lengths(tables.rests)};
  for (const Meter& meter : tables.time_signatures) {
    values.time_signatures.push_back({0, meter.numerator, meter.denominator});
  }
  return {tables.tokens, tables.infos, std::move(values)};
}

std::string VocabularySha256(const Vocabulary& vocabulary) {
  Sha256 hash;
  for (const std::string& token : vocabulary.tokens()) {
    hash.Update(token);
    hash.Update("\n");
  }
  return hash.FinishHex();
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

Tokenizer::Tokenizer(TokenTables tables, std::shared_ptr<const TrainedVocabulary> trained)
    : tables_(std::make_unique<const TokenTables>(std::move(tables))),
      vocabulary_(VocabularyOf(*tables_)),
      vocabulary_sha256_(VocabularySha256(vocabulary_)),
      trained_(std::move(trained)) {}

Tokenizer::~Tokenizer() = default;

Result<std::unique_ptr<Tokenizer>> Tokenizer::Create(const TokenizerConfig& config) {
  CONTINUO_ASSIGN(TokenizerConfig normalized, NormalizeConfig(config));
  CONTINUO_ASSIGN(TokenTables tables, BuildTokenTables(normalized));
  return std::unique_ptr<Tokenizer>(new Tokenizer(std::move(tables)));
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::Make(const TokenizerJson& json, std::string_view text) {
  CONTINUO_ASSIGN(TokenTables tables, BuildTokenTables(json.config));
  std::shared_ptr<const TrainedVocabulary> trained;
  if (!json.model.empty()) {
    CONTINUO_ASSIGN(trained, TrainedVocabulary::Create(json, std::string(text), tables));
  }
  std::unique_ptr<Tokenizer> tokenizer(new Tokenizer(std::move(tables), std::move(trained)));
  if (!json.vocab_sha256.empty() && json.vocab_sha256 != tokenizer->vocabulary_sha256()) {
    return MakeError("vocab_sha256 is {}, but its settings make the vocabulary {}", json.vocab_sha256,
                     tokenizer->vocabulary_sha256());
  }
  return tokenizer;
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::Load(const std::string& spec, MidiTokRelease release) {
  return LoadWith(spec, release, FromJson);
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::LoadPlainOrTrained(const std::string& spec, MidiTokRelease release) {
  return LoadWith(spec, release, FromPlainOrTrainedJson);
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::Read(std::string_view text, const std::string& name,
                                                   MidiTokRelease release, bool trained_too) {
  CONTINUO_ASSIGN(const TokenizerJson json, ParseTokenizerJson(text, name, release, trained_too));
  Result<std::unique_ptr<Tokenizer>> tokenizer = Make(json, text);
  if (!tokenizer.ok()) {
    return MakeError("{}: {}", name, tokenizer.error().message);
  }
  return tokenizer;
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::FromJson(std::string_view text, const std::string& name,
                                                       MidiTokRelease release) {
  return Read(text, name, release, /*trained_too=*/false);
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::FromPlainOrTrainedJson(std::string_view text, const std::string& name,
                                                                     MidiTokRelease release) {
  return Read(text, name, release, /*trained_too=*/true);
}

const TokenizerConfig& Tokenizer::config() const {
  return tables_->config;
}

std::string Tokenizer::ToJson() const {
  return trained_ ? trained_->json() : WriteTokenizerJson(config(), vocabulary_sha256_);
}

size_t Tokenizer::model_size() const {
  return trained_ ? trained_->size() : vocabulary_.size();
}

const std::string& Tokenizer::model_sha256() const {
  return trained_ ? trained_->sha256() : vocabulary_sha256_;
}

std::string Tokenizer::ModelToken(TokenId id) const {
  return trained_ ? trained_->Name(id) : vocabulary_.token(id);
}

const IdTrie& Tokenizer::trie() const {
  return trained_->trie(*tables_);
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
  return config().one_token_stream_for_programs || tables_->representation->base != nullptr;
}

std::vector<std::vector<TokenId>> Tokenizer::Encode(const Score& score) const {
  return tables_->representation->encode(score, *tables_);
}

Score Tokenizer::Decode(std::span<const std::vector<TokenId>> tracks) const {
  return tables_->representation->decode(tracks, *tables_);
}

std::unique_ptr<Grammar> Tokenizer::NewGrammar(const GrammarTarget& target) const {
  return tables_->representation->new_grammar(*tables_, target);
}

StreamState Tokenizer::NewState() const {
  return StreamState(*tables_);
}

std::vector<TokenId> Tokenizer::ToModelIds(std::span<const TokenId> ids) const {
  return trained_ ? trained_->Encode(ids, *tables_) : std::vector<TokenId>(ids.begin(), ids.end());
}

std::vector<std::vector<TokenId>> Tokenizer::EncodeForModel(const Score& score) const {
  return trained_ ? EncodeTrained(score, *tables_, *trained_) : Encode(score);
}

Score Tokenizer::DecodeFromModel(std::span<const std::vector<TokenId>> tracks) const {
  std::vector<std::vector<TokenId>> tokens;
  for (const std::vector<TokenId>& ids : tracks) {
    tokens.push_back(FromModelIds(ids));
  }
  return Decode(tokens);
}

std::vector<size_t> Tokenizer::BarOffsets(std::span<const TokenId> ids) const {
  return tables_->representation->bar_offsets(ids, *tables_);
}

std::vector<TokenId> Tokenizer::WindowFromBar(std::span<const TokenId> ids, size_t bar) const {
  return tables_->representation->window(ids, bar, *tables_);
}

std::vector<TokenId> Tokenizer::TransposeMap(int semitones) const {
  std::vector<TokenId> map(tables_->infos.size());
  for (size_t id = 0; id < map.size(); ++id) {
    map[id] = static_cast<TokenId>(id);
    const TokenInfo& info = tables_->infos[id];
    if (info.type == TokenType::kPitch || info.type == TokenType::kNoteOff) {
      const std::array<TokenId, 128>& ids = info.type == TokenType::kPitch ? tables_->pitch : tables_->note_off;
      const int pitch = info.value + semitones;
      map[id] = pitch < 0 || pitch > 127 ? kNoToken : ids[static_cast<size_t>(pitch)];
    } else if (info.type == TokenType::kKey && semitones != 0) {
      map[id] = kNoToken;  // a key or an interval: what stands before it says which
    }
  }
  const size_t shift = static_cast<size_t>((semitones % 12 + 12) % 12);
  for (size_t i = 0; i < tables_->harmony.size(); ++i) {
    Chord chord = Chord::FromIndex(i);
    if (!chord.none()) {
      chord.root = static_cast<uint8_t>((chord.root + shift) % 12);
    }
    map[static_cast<size_t>(tables_->harmony[i])] = tables_->harmony[chord.index()];
  }
  for (const auto* chords : {&tables_->chord, &tables_->unknown_chord}) {
    for (const std::array<TokenId, 12>& roots : *chords) {
      for (size_t root = 0; root < roots.size(); ++root) {
        if (roots[root] != kNoToken) {
          map[static_cast<size_t>(roots[root])] = roots[(root + shift) % 12];
        }
      }
    }
  }
  return map;
}

}  // namespace continuo
