#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/token/tokenizer_json.h"
#include "continuo/token/vocabulary.h"

namespace continuo {

/// Ids that each stand for several base tokens, learnt by MidiTok with the library `tokenizers`.
/// Base tokens are its characters; a word is what MidiTok encodes at once: a bar, a beat, or a
/// whole stream. Encoding is that of `tokenizers` 0.23 (tokenizers/src/models):
/// - BPE (Sennrich et al. 2016) merges pairs of symbols, the one learnt first before the others.
/// - Unigram (Kudo 2018) takes the pieces whose logarithms of probabilities have the largest sum.
/// - WordPiece (Schuster and Nakajima 2012) takes the longest piece from the left; a word that is
///   too long, or that it has no pieces for, is the unknown token, which stands for PAD.
/// Immutable; any number of threads may use one object.
class SubwordModel {
 public:
  /// Of a trained tokenizer.json whose base vocabulary is `base`, by id. Refuses, by name, other
  /// models, settings of them that MidiTok does not use, and a base vocabulary that is not the
  /// settings'. Messages lack the file's name.
  static Result<SubwordModel> Parse(const TokenizerJson& json, const std::vector<std::string>& base);

  size_t size() const { return starts_.size() - 1; }

  /// Appends the ids of a word of base ids. Nothing for an empty word. Base tokens that the model
  /// has no symbol for are left out by BPE and Unigram. O(n log n), or O(n) times the length of the
  /// longest piece.
  void Encode(std::span<const TokenId> word, std::vector<TokenId>& ids) const;

  /// The id of a base token alone, or kNoToken where the vocabulary lacks it.
  TokenId Single(TokenId base) const { return symbols_[static_cast<size_t>(base)]; }

  /// The base ids that an id stands for: none of the mark that begins a word. `id` is below size().
  std::span<const TokenId> Base(TokenId id) const;

 private:
  enum class Kind { kBpe, kUnigram, kWordPiece };
  struct Merge {
    uint32_t rank;
    TokenId merged;
  };
  /// Pieces by their symbols: base ids, and one more for the mark.
  struct PieceTree {
    std::unordered_map<uint64_t, int32_t> next;  // by node and symbol
    std::vector<TokenId> ids{kNoToken};          // by node; node 0 is the root
    void Add(std::span<const TokenId> symbols, TokenId id);
    /// -1 if there is none.
    int32_t Next(int32_t node, TokenId symbol) const;
  };

  class Parser;
  SubwordModel() = default;

  void EncodeBpe(std::span<const TokenId> word, std::vector<TokenId>& ids) const;
  void EncodeUnigram(std::span<const TokenId> word, std::vector<TokenId>& ids) const;
  void EncodeWordPiece(std::span<const TokenId> word, std::vector<TokenId>& ids) const;
  /// The symbols of a word, the mark included.
  std::vector<TokenId> SymbolsOf(std::span<const TokenId> word) const;

  Kind kind_ = Kind::kBpe;
  bool has_mark_ = false;         // each word begins with the mark
  std::vector<TokenId> symbols_;  // by base id: the id of that token alone
  TokenId mark_ = kNoToken;       // the id of the mark alone
  std::unordered_map<uint64_t, Merge> merges_;
  PieceTree first_;                // pieces that begin a word; of Unigram all
  PieceTree later_;                // of WordPiece: pieces within a word
  std::vector<double> scores_;     // of Unigram, by id
  double unknown_score_ = 0.0;     // of Unigram: of a symbol that is not a piece
  size_t most_symbols_ = 0;        // of WordPiece: of a word
  TokenId unknown_ = kNoToken;     // of WordPiece
  std::vector<TokenId> base_;      // base ids of each id, one after another
  std::vector<size_t> starts_{0};  // by id: where its base ids start in base_; one more at the end
};

}  // namespace continuo
