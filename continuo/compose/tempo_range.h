#pragma once

#include <memory>
#include <span>

#include "continuo/compose/token_constraint.h"

namespace continuo {

/// Allows only tempos within a range.
class TempoRangeConstraint final : public TokenConstraint {
 public:
  /// In quarter notes per minute; lowest > highest forbids all. `vocabulary` must outlive the
  /// constraint and its clones.
  TempoRangeConstraint(const Vocabulary& vocabulary, double lowest, double highest)
      : vocabulary_(&vocabulary), lowest_(lowest), highest_(highest) {}

  void Restrict(std::span<uint8_t> allowed) const override;
  void Advance(TokenId /*id*/) override {}
  std::unique_ptr<TokenConstraint> Clone() const override;
  bool CopyFrom(const TokenConstraint& other) override { return CopyState(*this, other); }
  bool RestrictIds(const IdTrie& trie, std::span<uint8_t> allowed) const override;

 private:
  const Vocabulary* vocabulary_;
  double lowest_;
  double highest_;
};

}  // namespace continuo
