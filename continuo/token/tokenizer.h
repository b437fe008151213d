#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/score/score.h"
#include "continuo/token/grammar.h"
#include "continuo/token/tokenizer_config.h"
#include "continuo/token/vocabulary.h"

namespace continuo {

class IdTrie;
class StreamState;
struct TokenTables;
struct TokenizerJson;
class TrainedVocabulary;

/// Score <-> token ids, as MidiTok does it (the release in the configuration says which MidiTok).
///
/// For ids that Encode gave, Encode(Decode(ids)) == ids, where there is one track and no longest
/// duration that decoding cuts notes to (max_duration). Immutable after creation; any number of
/// threads may use one object.
class Tokenizer final {
 public:
  /// Makes the tokenizer of a configuration. Fails on values that the configuration's kind can't
  /// have.
  static Result<std::unique_ptr<Tokenizer>> Create(const TokenizerConfig& config);
  /// `spec` is a preset's name (remi, remiplus, midilike, ...) or the path of a tokenizer.json.
  static Result<std::unique_ptr<Tokenizer>> Load(const std::string& spec,
                                                 MidiTokRelease release = MidiTokRelease::k3_1_0);
  /// From the text of a tokenizer.json. `name` stands for the file in messages.
  static Result<std::unique_ptr<Tokenizer>> FromJson(std::string_view text, const std::string& name,
                                                     MidiTokRelease release = MidiTokRelease::k3_1_0);
  /// The same for a file that may be of a tokenizer trained to merge tokens (BPE, ...): see
  /// trained().
  static Result<std::unique_ptr<Tokenizer>> LoadPlainOrTrained(const std::string& spec,
                                                               MidiTokRelease release = MidiTokRelease::k3_1_0);
  static Result<std::unique_ptr<Tokenizer>> FromPlainOrTrainedJson(std::string_view text, const std::string& name,
                                                                   MidiTokRelease release = MidiTokRelease::k3_1_0);
  ~Tokenizer();

  const TokenizerConfig& config() const;
  const Vocabulary& vocabulary() const { return vocabulary_; }
  /// SHA-256 (hex) of the vocabulary, one token per line; names the ids' meaning.
  const std::string& vocabulary_sha256() const { return vocabulary_sha256_; }
  /// The configuration in MidiTok's format, with our keys `miditok` and `vocab_sha256`; of a
  /// trained tokenizer the text that it was read from.
  std::string ToJson() const;

  /// What a model reads instead of the vocabulary's ids, if the tokenizer was trained to merge
  /// them; else null. All that has to do with music (grammar, bars, windows, decoding) is in the
  /// ids of vocabulary(), which a trained vocabulary's ids stand for.
  const TrainedVocabulary* trained() const { return trained_.get(); }
  /// How many ids a model of this tokenizer has.
  size_t model_size() const;
  /// Names the meaning of a model's ids.
  const std::string& model_sha256() const;
  /// The name of a model's id in [0, model_size()).
  std::string ModelToken(TokenId id) const;
  /// Ids that a model reads for ids of vocabulary(): the same unless trained.
  std::vector<TokenId> ToModelIds(std::span<const TokenId> ids) const;
  /// The ids of trained(), which is not null, as a tree.
  const IdTrie& trie() const;
  std::vector<TokenId> FromModelIds(std::span<const TokenId> ids) const;
  /// BarOffsets in ids that a model reads. An id across a bar line belongs to the bar before it.
  std::vector<size_t> ModelBarOffsets(std::span<const TokenId> ids) const;
  /// A model's ids of special tokens, where there are such.
  std::optional<TokenId> ModelIdOf(std::optional<TokenId> token) const;
  /// Encode in ids that a model reads. They are MidiTok's.
  std::vector<std::vector<TokenId>> EncodeForModel(const Score& score) const;
  /// Decode of ids that a model reads. MidiTok takes a plain list without an id beyond the base
  /// vocabulary for base ids, which in 3.0.4 are not those of the model: this does not.
  Score DecodeFromModel(std::span<const std::vector<TokenId>> tracks) const;

  /// True when all tracks share one stream of ids.
  bool one_stream() const;

  /// The ids of each track that is left after what has no tokens was taken out (one stream: of all
  /// together). Like MidiTok, gives one list for a score without such tracks. No BOS or EOS is
  /// added.
  std::vector<std::vector<TokenId>> Encode(const Score& score) const;

  /// The score of one list of ids per track (one stream: of the first list). Never fails: ids that
  /// make no sense where they stand are passed over, as MidiTok does. Notes stand in the order of
  /// their first tokens, tempos in that of theirs, which is the order of time unless the ids go
  /// back in time. The chords of REMIChord become markers ("A_M7", "N").
  Score Decode(std::span<const std::vector<TokenId>> tracks) const;

  /// The state machine of what may follow, at the beginning of a stream.
  std::unique_ptr<Grammar> NewGrammar(const GrammarTarget& target = {}) const;

  /// What is in force at the beginning of a stream; include stream_state.h.
  StreamState NewState() const;

  /// Where each bar begins in `ids` of one stream: the index of its first token. Tokenizers without
  /// bar tokens count time in the running time signature; there a bar begins with the first token
  /// whose time is at or after the bar line.
  std::vector<size_t> BarOffsets(std::span<const TokenId> ids) const;

  /// `ids` from bar `bar` on, with the time signature, tempo, program and pedals that are in force
  /// there put at its head, so that the result stands alone and the grammar takes it. MIDI-Like
  /// strikes sounding notes again at the bar line; notes whose duration is a token of an earlier
  /// bar are left out. Empty if there is no such bar. BOS is not added.
  std::vector<TokenId> WindowFromBar(std::span<const TokenId> ids, size_t bar) const;

  /// map[id] is the id that `id` becomes when music is moved by `semitones`; -1 where that leaves
  /// the pitch range. Drum tokens and all that is no pitch (or root of a chord) map to themselves.
  std::vector<TokenId> TransposeMap(int semitones) const;

 private:
  explicit Tokenizer(TokenTables tables, std::shared_ptr<const TrainedVocabulary> trained = nullptr);
  static Result<std::unique_ptr<Tokenizer>> Make(const TokenizerJson& json, std::string_view text);
  static Result<std::unique_ptr<Tokenizer>> Read(std::string_view text, const std::string& name, MidiTokRelease release,
                                                 bool trained_too);

  std::unique_ptr<const TokenTables> tables_;
  Vocabulary vocabulary_;
  std::string vocabulary_sha256_;
  std::shared_ptr<const TrainedVocabulary> trained_;
};

}  // namespace continuo
