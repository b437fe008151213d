#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "continuo/app/command.h"
#include "continuo/token/trained_tokenizer.h"

namespace continuo {

/// The tokenizer that flags name, trained or not.
class TokenizerChoice {
 public:
  static Result<TokenizerChoice> Load(const TokenizerFlags& flags);

  /// Null unless the tokenizer was trained to merge tokens.
  const TrainedTokenizer* trained() const { return trained_.get(); }
  /// That of the tokens before merging.
  const Tokenizer& base() const { return trained_ ? trained_->base() : *plain_; }

  size_t size() const;
  std::string Name(TokenId id) const;
  std::vector<std::vector<TokenId>> Encode(const Score& score) const;
  Score Decode(std::span<const std::vector<TokenId>> tracks) const;

 private:
  TokenizerChoice() = default;
  std::unique_ptr<Tokenizer> plain_;
  std::unique_ptr<TrainedTokenizer> trained_;
};

}  // namespace continuo
