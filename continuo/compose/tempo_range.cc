#include "continuo/compose/tempo_range.h"

#include "continuo/compose/bar_position.h"

namespace continuo {

void TempoRangeConstraint::Restrict(std::span<uint8_t> allowed) const {
  ForbidWhere(vocabulary_->range(TokenType::kTempo), allowed,
              [&](TokenId id) { return vocabulary_->tempo(id) < lowest_ || vocabulary_->tempo(id) > highest_; });
}

bool TempoRangeConstraint::RestrictIds(const IdTrie& trie, std::span<uint8_t> allowed) const {
  ForbidIdsHaving(vocabulary_->range(TokenType::kTempo), trie, allowed,
                  [&](TokenId id) { return vocabulary_->tempo(id) < lowest_ || vocabulary_->tempo(id) > highest_; });
  return true;
}

std::unique_ptr<TokenConstraint> TempoRangeConstraint::Clone() const {
  return std::make_unique<TempoRangeConstraint>(*this);
}

}  // namespace continuo
