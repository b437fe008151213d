#include "continuo/compose/tempo_constraint.h"

#include <algorithm>
#include <cmath>

namespace continuo {

Result<TempoConstraint> TempoConstraint::Create(double bpm, const Tokenizer& tokenizer, size_t first_bar) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  const IdRange tempos = vocabulary.range(TokenType::kTempo);
  if (tempos.empty() || !vocabulary.has(TokenType::kPosition)) {
    return MakeError("the model's tokens ({}) have no tempo to ask for", RepresentationName(tokenizer.config()));
  }
  TokenId nearest = tempos.first;
  double slowest = INFINITY;
  double fastest = 0.0;
  for (TokenId id = tempos.first; id < tempos.end(); ++id) {
    const double tempo = vocabulary.tempo(id);
    slowest = std::min(slowest, tempo);
    fastest = std::max(fastest, tempo);
    if (std::abs(tempo - bpm) < std::abs(vocabulary.tempo(nearest) - bpm)) {
      nearest = id;
    }
  }
  if (!(bpm >= slowest && bpm <= fastest)) {
    return MakeError("bpm is {}, expected {} to {}, the tempos of the model's tokens", bpm, slowest, fastest);
  }
  return TempoConstraint(vocabulary, nearest, first_bar);
}

void TempoConstraint::Restrict(std::span<uint8_t> allowed) const {
  if (!written_ && at_.position == 0 && allowed[static_cast<size_t>(tempo_)] != 0) {
    AllowOnly(tempo_, allowed);
    return;
  }
  Forbid(TokenType::kTempo, *vocabulary_, allowed);
  if (!written_) {
    at_.ForbidPassing(0, *vocabulary_, allowed);
  }
}

void TempoConstraint::Advance(TokenId id) {
  const TokenInfo& token = vocabulary_->info(id);
  at_.Advance(token);
  written_ = written_ || (token.type == TokenType::kTempo && at_.bar >= first_bar_);
}

bool TempoConstraint::RestrictIds(const IdTrie& trie, std::span<uint8_t> allowed) const {
  if (written_) {
    ForbidIdsHaving(vocabulary_->range(TokenType::kTempo), trie, allowed, [](TokenId) { return true; });
  }
  return written_;
}

std::unique_ptr<TokenConstraint> TempoConstraint::Clone() const {
  return std::make_unique<TempoConstraint>(*this);
}

}  // namespace continuo
