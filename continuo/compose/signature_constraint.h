#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "continuo/compose/token_constraint.h"
#include "continuo/token/stream_state.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// Gives each bar its time signature.
class SignatureConstraint final : public TokenConstraint {
 public:
  /// `signatures`, at least one, are those of the bars from `first_bar` on; the last holds for all
  /// that follow. One that the tokenizer lacks (see SignatureToken) leaves its bars free.
  /// `tokenizer` must outlive the constraint and its clones.
  SignatureConstraint(const Tokenizer& tokenizer, size_t first_bar, std::span<const TimeSignature> signatures);

  void Restrict(std::span<uint8_t> allowed) const override;
  void Advance(TokenId id) override;
  std::unique_ptr<TokenConstraint> Clone() const override;
  bool CopyFrom(const TokenConstraint& other) override { return CopyState(*this, other); }
  bool RestrictIds(const IdTrie& trie, std::span<uint8_t> allowed) const override;

 private:
  TokenId SignatureOf(int64_t bar) const;
  void ForbidPassing(int32_t tick, std::span<uint8_t> allowed) const;

  const Vocabulary* vocabulary_;
  int64_t first_bar_;
  std::shared_ptr<const std::vector<TokenId>> signatures_;  // not empty
  StreamState state_;
  TokenId in_force_ = kNoToken;
};

}  // namespace continuo
