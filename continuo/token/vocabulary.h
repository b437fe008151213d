#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace continuo {

using TokenId = int32_t;

/// Tokens as MidiTok names them ("Pitch_60"), numbered from 0. Immutable after creation.
class Vocabulary {
 public:
  explicit Vocabulary(std::vector<std::string> tokens);

  size_t size() const { return tokens_.size(); }
  /// "Type_Value". `id` is in [0, size()).
  const std::string& token(TokenId id) const { return tokens_[static_cast<size_t>(id)]; }
  const std::vector<std::string>& tokens() const { return tokens_; }
  /// The id of a token's name, if there is one.
  std::optional<TokenId> Find(std::string_view token) const;

  /// Special tokens, where the vocabulary has them.
  std::optional<TokenId> pad() const { return Find("PAD_None"); }
  std::optional<TokenId> bos() const { return Find("BOS_None"); }
  std::optional<TokenId> eos() const { return Find("EOS_None"); }

 private:
  std::vector<std::string> tokens_;
  std::unordered_map<std::string, TokenId> ids_;
};

}  // namespace continuo
