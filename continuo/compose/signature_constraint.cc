#include "continuo/compose/signature_constraint.h"

#include <algorithm>
#include <utility>

#include "continuo/compose/bar_position.h"
#include "continuo/compose/readable_bars.h"
#include "continuo/core/check.h"

namespace continuo {

SignatureConstraint::SignatureConstraint(const Tokenizer& tokenizer, size_t first_bar,
                                         std::span<const TimeSignature> signatures)
    : vocabulary_(&tokenizer.vocabulary()), first_bar_(static_cast<int64_t>(first_bar)), state_(tokenizer.NewState()) {
  CONTINUO_CHECK(!signatures.empty());
  std::vector<TokenId> tokens;
  for (const TimeSignature& signature : signatures) {
    tokens.push_back(SignatureToken(tokenizer, signature));
  }
  signatures_ = std::make_shared<const std::vector<TokenId>>(std::move(tokens));
}

TokenId SignatureConstraint::SignatureOf(int64_t bar) const {
  return bar < first_bar_ ? kNoToken
                          : (*signatures_)[std::min(static_cast<size_t>(bar - first_bar_), signatures_->size() - 1)];
}

void SignatureConstraint::ForbidPassing(int32_t tick, std::span<uint8_t> allowed) const {
  ForbidWhere(vocabulary_->range(TokenType::kTimeShift), allowed,
              [&](TokenId id) { return state_.meter().TimeTicks(vocabulary_->info(id).value) > tick - state_.tick(); });
  ForbidWhere(vocabulary_->range(TokenType::kRest), allowed,
              [&](TokenId id) { return state_.TickAfterRest(vocabulary_->info(id).value) > tick; });
}

void SignatureConstraint::Restrict(std::span<uint8_t> allowed) const {
  const int64_t bar = std::max(state_.bar(), 0);
  const TokenId wanted = SignatureOf(bar);
  if (wanted == kNoToken) {
    return;
  }
  const bool may_change = allowed[static_cast<size_t>(wanted)] != 0;
  if (may_change && wanted != in_force_) {
    AllowOnly(wanted, allowed);
    return;
  }
  ForbidWhere(vocabulary_->range(TokenType::kTimeSig), allowed, [wanted](TokenId id) { return id != wanted; });
  if (!state_.has_bar_tokens() && SignatureOf(bar + 1) != wanted) {
    ForbidPassing(state_.tick_at_bar() + state_.meter().ticks_per_bar(), allowed);
  }
}

void SignatureConstraint::Advance(TokenId id) {
  state_.Advance(id);
  if (vocabulary_->info(id).type == TokenType::kTimeSig) {
    in_force_ = id;
  }
}

bool SignatureConstraint::RestrictIds(const IdTrie& trie, std::span<uint8_t> allowed) const {
  const int64_t bar = std::max(state_.bar(), 0);
  const bool settled = bar - first_bar_ + 1 >= static_cast<int64_t>(signatures_->size());
  if (!settled || in_force_ != signatures_->back()) {
    return false;
  }
  ForbidIdsHaving(vocabulary_->range(TokenType::kTimeSig), trie, allowed, [&](TokenId id) { return id != in_force_; });
  return true;
}

std::unique_ptr<TokenConstraint> SignatureConstraint::Clone() const {
  return std::make_unique<SignatureConstraint>(*this);
}

}  // namespace continuo
