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

/// Ids that each stand for several base tokens, learnt by MidiTok with the library `tokenizers`:
/// byte-pair encoding (BPE; Sennrich et al. 2016). Base tokens are its characters; a word is what
/// MidiTok encodes at once: a bar, a beat, or a whole stream. Immutable; any number of threads may
/// use one object.
class Subwords {
 public:
  /// Of a trained tokenizer.json whose base vocabulary is `base`, by id. Refuses, by name, another
  /// model than BPE, settings of it that MidiTok does not use, and a base vocabulary that is not
  /// the settings'. Messages lack the file's name.
  static Result<Subwords> Parse(const TokenizerJson& json, const std::vector<std::string>& base);

  size_t size() const { return starts_.size() - 1; }

  /// Appends the ids of a word of base ids. O(n log n). Nothing for an empty word.
  void Encode(std::span<const TokenId> word, std::vector<TokenId>& ids) const;

  /// The base ids that an id stands for: none of the mark that begins a word. `id` is below size().
  std::span<const TokenId> Base(TokenId id) const;

 private:
  struct Merge {
    uint32_t rank;
    TokenId merged;
  };

  Subwords() = default;

  std::vector<TokenId> symbols_;  // by base id: the id of that token alone
  TokenId mark_ = kNoToken;       // that begins each word, or kNoToken
  std::unordered_map<uint64_t, Merge> merges_;
  std::vector<TokenId> base_;      // base ids of each id, one after another
  std::vector<size_t> starts_{0};  // by id: where its base ids start in base_; one more at the end
};

}  // namespace continuo
