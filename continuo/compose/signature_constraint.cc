#include "continuo/compose/signature_constraint.h"

#include <algorithm>
#include <utility>

#include "continuo/compose/bar_position.h"
#include "continuo/core/check.h"

namespace continuo {

SignatureConstraint::SignatureConstraint(const Tokenizer& tokenizer, size_t first_bar, std::vector<TokenId> signatures)
    : vocabulary_(&tokenizer.vocabulary()),
      first_bar_(static_cast<int64_t>(first_bar)),
      signatures_(std::make_shared<const std::vector<TokenId>>(std::move(signatures))),
      state_(tokenizer.NewState()) {
  CONTINUO_CHECK(!signatures_->empty());
}

TokenId SignatureConstraint::SignatureOf(int64_t bar) const {
  return bar < first_bar_ ? kNoToken
                          : (*signatures_)[std::min(static_cast<size_t>(bar - first_bar_), signatures_->size() - 1)];
}

void SignatureConstraint::ForbidPassing(int32_t tick, std::span<uint8_t> allowed) const {
  const IdRange shifts = vocabulary_->range(TokenType::kTimeShift);
  for (TokenId id = shifts.first; id < shifts.end(); ++id) {
    if (state_.meter().TimeTicks(vocabulary_->info(id).value) > tick - state_.tick()) {
      allowed[static_cast<size_t>(id)] = 0;
    }
  }
  const IdRange rests = vocabulary_->range(TokenType::kRest);
  for (TokenId id = rests.first; id < rests.end(); ++id) {
    if (state_.TickAfterRest(vocabulary_->info(id).value) > tick) {
      allowed[static_cast<size_t>(id)] = 0;
    }
  }
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
  const IdRange all = vocabulary_->range(TokenType::kTimeSig);
  for (TokenId id = all.first; id < all.end(); ++id) {
    if (id != wanted) {
      allowed[static_cast<size_t>(id)] = 0;
    }
  }
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

std::unique_ptr<TokenConstraint> SignatureConstraint::Clone() const {
  return std::make_unique<SignatureConstraint>(*this);
}

}  // namespace continuo
