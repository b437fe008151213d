#include "continuo/compose/token_constraint.h"

#include <algorithm>
#include <utility>

#include "continuo/core/check.h"

namespace continuo {

void TokenConstraint::BeginBar(size_t /*bar*/) {}

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

ConstraintList ConstraintList::Clone() const {
  ConstraintList clone(grammar_.CloneGrammar());
  for (const std::unique_ptr<TokenConstraint>& constraint : others_) {
    clone.Add(*constraint);
  }
  return clone;
}

}  // namespace continuo
