#include "continuo/compose/token_constraint.h"

#include <algorithm>
#include <utility>

#include "continuo/core/check.h"

namespace continuo {

void TokenConstraint::BeginBar(size_t /*bar*/) {}

bool TokenConstraint::CopyFrom(const TokenConstraint& /*other*/) {
  return false;
}

bool TokenConstraint::RestrictIds(const IdTrie& /*trie*/, std::span<uint8_t> /*allowed*/) const {
  return false;
}

bool GrammarConstraint::CopyFrom(const TokenConstraint& other) {
  grammar_->CopyFrom(static_cast<const GrammarConstraint&>(other).grammar());
  return true;
}

void GrammarConstraint::Restrict(std::span<uint8_t> allowed) const {
  std::vector<uint8_t> by_grammar(allowed.size());
  grammar_->Allowed(by_grammar);
  for (size_t id = 0; id < allowed.size(); ++id) {
    allowed[id] &= by_grammar[id];
  }
}

void GrammarConstraint::Advance(TokenId id) {
  CONTINUO_CHECK(TryAdvance(id));
}

std::unique_ptr<TokenConstraint> GrammarConstraint::Clone() const {
  return std::make_unique<GrammarConstraint>(CloneGrammar());
}

void ConstraintList::Restrict(std::span<uint8_t> allowed) {
  std::fill(allowed.begin(), allowed.end(), 1);
  grammar_.Restrict(allowed);
  for (const std::unique_ptr<TokenConstraint>& constraint : others_) {
    before_.assign(allowed.begin(), allowed.end());
    constraint->Restrict(allowed);
    if (std::find(allowed.begin(), allowed.end(), 1) == allowed.end()) {
      std::copy(before_.begin(), before_.end(), allowed.begin());
    }
  }
}

bool ConstraintList::Advance(TokenId id) {
  if (!grammar_.TryAdvance(id)) {
    return false;
  }
  for (const std::unique_ptr<TokenConstraint>& constraint : others_) {
    constraint->Advance(id);
  }
  return true;
}

void ConstraintList::BeginBar(size_t bar) {
  for (const std::unique_ptr<TokenConstraint>& constraint : others_) {
    constraint->BeginBar(bar);
  }
}

bool ConstraintList::RestrictIds(const IdTrie& trie, std::span<uint8_t> allowed) const {
  return std::all_of(others_.begin(), others_.end(), [&](const std::unique_ptr<TokenConstraint>& constraint) {
    return constraint->RestrictIds(trie, allowed) && std::find(allowed.begin(), allowed.end(), 1) != allowed.end();
  });
}

void ConstraintList::CopyFrom(const ConstraintList& other) {
  CONTINUO_CHECK(others_.size() == other.others_.size());
  grammar_.CopyFrom(other.grammar_);
  for (size_t i = 0; i < others_.size(); ++i) {
    if (!others_[i]->CopyFrom(*other.others_[i])) {
      others_[i] = other.others_[i]->Clone();
    }
  }
}

void ConstraintList::Take(TokenId id) {
  const size_t before = std::max<size_t>(bars(), 1);
  CONTINUO_CHECK(Advance(id));
  if (!complete() && bars() > before) {
    BeginBar(bars() - 1);
  }
}

ConstraintList::ConstraintList(const ConstraintList& other) : grammar_(other.grammar_.CloneGrammar()) {
  for (const std::unique_ptr<TokenConstraint>& constraint : other.others_) {
    Add(*constraint);
  }
}

ConstraintList& ConstraintList::operator=(const ConstraintList& other) {
  *this = ConstraintList(other);
  return *this;
}

}  // namespace continuo
