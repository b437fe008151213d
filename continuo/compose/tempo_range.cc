#include "continuo/compose/tempo_range.h"

namespace continuo {

void TempoRangeConstraint::Restrict(std::span<uint8_t> allowed) const {
  const IdRange tempos = vocabulary_->range(TokenType::kTempo);
  for (TokenId id = tempos.first; id < tempos.end(); ++id) {
    const double tempo = vocabulary_->tempo(id);
    if (tempo < lowest_ || tempo > highest_) {
      allowed[static_cast<size_t>(id)] = 0;
    }
  }
}

std::unique_ptr<TokenConstraint> TempoRangeConstraint::Clone() const {
  return std::make_unique<TempoRangeConstraint>(*this);
}

}  // namespace continuo
