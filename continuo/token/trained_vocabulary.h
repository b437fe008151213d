#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/token/id_trie.h"
#include "continuo/token/subword_model.h"
#include "continuo/token/token_tables.h"
#include "continuo/token/tokenizer_json.h"

namespace continuo {

/// What a model reads whose vocabulary was trained: ids that stand for several tokens each, within
/// a bar, a beat, or the stream, as encode_ids_split says. Immutable; any number of threads may use
/// one object. Functions that take an id require it to be in [0, size()).
class TrainedVocabulary {
 public:
  /// Of a trained tokenizer.json whose text is `text` and whose settings make `tables`. Messages
  /// lack the file's name.
  static Result<std::shared_ptr<const TrainedVocabulary>> Create(const TokenizerJson& json, std::string text,
                                                                 const TokenTables& tables);

  enum class Split { kNone, kBeat, kBar };
  Split split() const { return split_; }
  size_t size() const { return subwords_.size(); }
  /// The tokens that an id stands for; none of the mark that begins a word.
  std::span<const TokenId> Tokens(TokenId id) const { return subwords_.Base(id); }
  /// The id that stands for a token alone, or kNoToken. Only releases before 3.1.0 leave tokens
  /// out.
  TokenId IdOf(TokenId token) const { return subwords_.Single(token); }
  /// "Pitch_60+Velocity_63"; "+" for the mark that begins a word.
  std::string Name(TokenId id) const;
  /// SHA-256 (hex) of the names, one a line.
  const std::string& sha256() const { return sha256_; }
  /// The tokenizer.json.
  const std::string& json() const { return json_; }

  /// Appends the ids of a word, which is what MidiTok encodes at once.
  void EncodeWord(std::span<const TokenId> word, std::vector<TokenId>& ids) const { subwords_.Encode(word, ids); }
  /// The ids of a stream of tokens. They are MidiTok's but for the last word: MidiTok makes no
  /// words after the last beginning of anything, which may be something that has no token. Tokens
  /// without an id are left out.
  std::vector<TokenId> Encode(std::span<const TokenId> tokens, const TokenTables& tables) const;
  /// The tokens of a stream of ids. Ids that are not in the vocabulary are passed over.
  std::vector<TokenId> Decode(std::span<const TokenId> ids) const;

  /// Made by the first call.
  const IdTrie& trie(const TokenTables& tables) const;

 private:
  TrainedVocabulary(SubwordModel subwords, Split split, std::string json)
      : subwords_(std::move(subwords)), split_(split), json_(std::move(json)) {}

  SubwordModel subwords_;
  Split split_;
  std::string json_;
  std::vector<std::string> token_names_;
  std::string sha256_;
  mutable std::once_flag trie_made_;
  mutable std::unique_ptr<const IdTrie> trie_;
};

}  // namespace continuo
