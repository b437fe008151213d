#include "continuo/token/train_tokenizer.h"

#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "continuo/core/hash.h"
#include "continuo/token/bpe_trainer.h"
#include "continuo/token/encode_trained.h"
#include "continuo/token/representation.h"
#include "continuo/token/tokenizer_json.h"

namespace continuo {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kMark = "\u2581";  // MidiTok's Metaspace
constexpr uint32_t kFirstCharacter = 33;      // MidiTok's CHR_ID_START

// The character that stands for a token.
std::string CharacterOf(size_t token) {
  const auto code = static_cast<uint32_t>(kFirstCharacter + token);
  std::string text;
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xC0 | code >> 6);
    text += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    text += static_cast<char>(0xE0 | code >> 12);
    text += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    text += static_cast<char>(0x80 | (code & 0x3F));
  }
  return text;
}

// The most tokens whose characters are below that of the mark.
constexpr size_t kMostTokens = 0x2581 - kFirstCharacter;

}  // namespace

Result<TokenizerTrainer> TokenizerTrainer::Create(const TokenizerConfig& config, size_t most_tokens) {
  CONTINUO_ASSIGN(TokenizerConfig normalized, NormalizeConfig(config));
  if (normalized.chords != ChordSource::kNone) {
    return Error{fmt::format("{} cannot be trained: MidiTok does not know it", RepresentationName(normalized)),
                 "take remi, midilike or tsd_default"};
  }
  if (!RepresentationOf(normalized).trainable) {
    return Error{fmt::format("{} cannot be trained here", RepresentationName(normalized)),
                 "take remi, midilike or tsd_default"};
  }
  const std::string& split = normalized.encode_ids_split;
  if (split != "bar" && split != "beat" && split != "no") {
    return MakeError("encode_ids_split is {}, expected bar, beat or no", split);
  }
  using Split = TrainedVocabulary::Split;
  const Split by = split == "bar" ? Split::kBar : split == "beat" ? Split::kBeat : Split::kNone;
  CONTINUO_ASSIGN(TokenTables tables, BuildTokenTables(normalized));
  if (tables.tokens.size() > kMostTokens) {
    return MakeError("the settings make {} tokens, expected at most {}", tables.tokens.size(), kMostTokens);
  }
  return TokenizerTrainer(std::move(tables), by, most_tokens);
}

TokenizerTrainer::Words TokenizerTrainer::WordsOf(const Score& score) const {
  Words words;
  ForEachWord(score, tables_, split_, [&](size_t /*stream*/, std::span<const TokenId> word) {
    if (!word.empty()) {
      for (const TokenId token : word) {
        words.tokens.push_back(static_cast<uint16_t>(token));
      }
      words.ends.push_back(static_cast<uint32_t>(words.tokens.size()));
    }
  });
  return words;
}

void TokenizerTrainer::Add(Words words) {
  const size_t index = added_++;
  if (index % stride_ != 0 || words.tokens.empty()) {
    return;
  }
  tokens_ += words.tokens.size();
  songs_.push_back(std::move(words));
  while (tokens_ > most_tokens_ && songs_.size() > 1) {
    stride_ *= 2;
    tokens_ = 0;
    std::vector<Words> kept;
    for (size_t i = 0; i < songs_.size(); i += 2) {
      tokens_ += songs_[i].tokens.size();
      kept.push_back(std::move(songs_[i]));
    }
    songs_ = std::move(kept);
  }
}

Result<std::string> TokenizerTrainer::Train(size_t size, const StopToken& stop) {
  const size_t base = tables_.tokens.size();
  const bool has_mark = split_ != TrainedVocabulary::Split::kNone;
  if (size <= base + (has_mark ? 1 : 0)) {
    return MakeError("size is {}, expected more than the {} of the tokens alone", size, base + (has_mark ? 1 : 0));
  }
  // The symbols, by their characters. MidiTok 3.0.4 leaves out tokens that no song has, but not the
  // special ones.
  std::vector<uint8_t> used(base, tables_.config.release == MidiTokRelease::k3_0_4 ? 0 : 1);
  for (size_t token = 0; token < base; ++token) {
    used[token] = used[token] != 0 || tables_.infos[token].type == TokenType::kSpecial ? 1 : 0;
  }
  for (const Words& song : songs_) {
    for (const uint16_t token : song.tokens) {
      used[token] = 1;
    }
  }
  std::vector<std::string> names;  // by symbol
  std::vector<uint32_t> symbol_of(base, 0);
  for (size_t token = 0; token < base; ++token) {
    if (used[token] != 0) {
      symbol_of[token] = static_cast<uint32_t>(names.size());
      names.push_back(CharacterOf(token));
    }
  }
  const auto mark = static_cast<uint32_t>(names.size());
  if (has_mark) {
    names.emplace_back(kMark);
  }
  BpeTrainer trainer(static_cast<uint32_t>(names.size()));
  std::vector<uint32_t> word;
  for (const Words& song : songs_) {
    uint32_t first = 0;
    for (const uint32_t end : song.ends) {
      word.clear();
      if (has_mark) {
        word.push_back(mark);
      }
      for (; first < end; ++first) {
        word.push_back(symbol_of[song.tokens[first]]);
      }
      trainer.Add(word);
    }
  }
  songs_.clear();
  const std::vector<BpeTrainer::Merge> merges = trainer.Train(size, stop);
  if (stop.stop_requested()) {
    return CancelledError();
  }

  const Json space = {{"type", "Metaspace"}, {"replacement", kMark}, {"prepend_scheme", "always"}, {"split", true}};
  const Json affix = has_mark ? Json("") : Json();
  Json model = {{"type", "BPE"},
                {"dropout", nullptr},
                {"unk_token", nullptr},
                {"continuing_subword_prefix", affix},
                {"end_of_word_suffix", affix},
                {"fuse_unk", false},
                {"byte_fallback", false},
                {"ignore_merges", false},
                {"vocab", Json::object()},
                {"merges", Json::array()}};
  for (const BpeTrainer::Merge& merge : merges) {
    model["merges"].push_back({names[merge.left], names[merge.right]});
    names.push_back(names[merge.left] + names[merge.right]);
  }
  Json vocab = Json::object();
  auto& entries = vocab.get_ref<Json::object_t&>();  // emplace_back, for operator[] looks for the key first
  for (size_t id = 0; id < names.size(); ++id) {
    static_cast<Json::object_t::Container&>(entries).emplace_back(names[id], id);
  }
  model["vocab"] = std::move(vocab);
  Json added = Json::array();
  Json base_ids = Json::object();
  Json characters = Json::object();
  for (size_t token = 0; token < base; ++token) {
    base_ids[tables_.tokens[token]] = token;
    characters[CharacterOf(token)] = tables_.tokens[token];
    if (tables_.infos[token].type == TokenType::kSpecial) {
      added.push_back({{"id", symbol_of[token]},
                       {"content", CharacterOf(token)},
                       {"single_word", false},
                       {"lstrip", false},
                       {"rstrip", false},
                       {"normalized", false},
                       {"special", true}});
    }
  }
  const Json whole = {{"version", "1.0"},          {"truncation", nullptr},
                      {"padding", nullptr},        {"added_tokens", std::move(added)},
                      {"normalizer", nullptr},     {"pre_tokenizer", has_mark ? space : Json()},
                      {"post_processor", nullptr}, {"decoder", has_mark ? space : Json()},
                      {"model", std::move(model)}};

  Sha256 hash;
  for (const std::string& token : tables_.tokens) {
    hash.Update(token);
    hash.Update("\n");
  }
  Json json = Json::parse(WriteTokenizerJson(tables_.config, hash.FinishHex()));
  json["_vocab_base"] = std::move(base_ids);
  json["_model"] = whole.dump();
  json["_vocab_base_byte_to_token"] = std::move(characters);
  return json.dump() + "\n";
}

}  // namespace continuo
