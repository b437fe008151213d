#pragma once

#include <memory>

#include "continuo/compose/bar_position.h"
#include "continuo/compose/token_constraint.h"
#include "continuo/core/result.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// Sets the tempo of a piece: its first tempo token, at the first position of its first bar, is the
/// nearest to the tempo asked for, and there is no other.
class TempoConstraint final : public TokenConstraint {
 public:
  /// Fails unless the tokenizer has tempo and position tokens, and `bpm` (quarter notes per minute)
  /// is within its tempos. `tokenizer` must outlive the result and its clones.
  static Result<TempoConstraint> Create(double bpm, const Tokenizer& tokenizer, size_t first_bar = 0);

  void Restrict(std::span<uint8_t> allowed) const override;
  void Advance(TokenId id) override;
  std::unique_ptr<TokenConstraint> Clone() const override;
  bool CopyFrom(const TokenConstraint& other) override { return CopyState(*this, other); }
  bool RestrictIds(const IdTrie& trie, std::span<uint8_t> allowed) const override;

 private:
  TempoConstraint(const Vocabulary& vocabulary, TokenId tempo, size_t first_bar)
      : vocabulary_(&vocabulary), tempo_(tempo), first_bar_(static_cast<int64_t>(first_bar)) {}

  const Vocabulary* vocabulary_;
  TokenId tempo_;
  int64_t first_bar_;
  BarPosition at_;
  bool written_ = false;
};

}  // namespace continuo
