#pragma once

#include <memory>
#include <vector>

#include "continuo/compose/token_constraint.h"
#include "continuo/token/vocabulary.h"

namespace continuo {

/// Forbids new notes, programs, tempos, pedals and pitch bends in a bar that has taken `limit`
/// tokens, so that a model that repeats one chord forever still reaches the bar line.
class CrowdedBarConstraint final : public TokenConstraint {
 public:
  /// Ten times what a bar of Pop1K7 takes in REMI (some 50 tokens).
  static constexpr size_t kDefaultLimit = 512;

  explicit CrowdedBarConstraint(const Vocabulary& vocabulary, size_t limit = kDefaultLimit);

  void Restrict(std::span<uint8_t> allowed) const override;
  void Advance(TokenId id) override;
  void BeginBar(size_t bar) override;
  std::unique_ptr<TokenConstraint> Clone() const override;
  bool CopyFrom(const TokenConstraint& other) override { return CopyState(*this, other); }
  bool RestrictIds(const IdTrie& trie, std::span<uint8_t> allowed) const override;

 private:
  std::shared_ptr<const std::vector<TokenId>> forbidden_;  // in a crowded bar
  size_t limit_;
  size_t tokens_ = 0;  // in the bar under way
};

}  // namespace continuo
