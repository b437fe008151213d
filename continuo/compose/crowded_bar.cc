#include "continuo/compose/crowded_bar.h"

namespace continuo {

CrowdedBarConstraint::CrowdedBarConstraint(const Vocabulary& vocabulary, size_t limit) : limit_(limit) {
  std::vector<TokenId> forbidden;
  for (const TokenType type :
       {TokenType::kPitch, TokenType::kPitchDrum, TokenType::kProgram, TokenType::kPedal, TokenType::kPitchBend,
        TokenType::kTempo, TokenType::kNoShift, TokenType::kKey, TokenType::kDrumKey}) {
    const IdRange ids = vocabulary.range(type);
    for (TokenId id = ids.first; id < ids.end(); ++id) {
      forbidden.push_back(id);
    }
  }
  forbidden_ = std::make_shared<const std::vector<TokenId>>(std::move(forbidden));
}

void CrowdedBarConstraint::Restrict(std::span<uint8_t> allowed) const {
  if (tokens_ < limit_) {
    return;
  }
  for (const TokenId id : *forbidden_) {
    allowed[static_cast<size_t>(id)] = 0;
  }
}

void CrowdedBarConstraint::Advance(TokenId /*id*/) {
  ++tokens_;
}

void CrowdedBarConstraint::BeginBar(size_t /*bar*/) {
  tokens_ = 0;
}

bool CrowdedBarConstraint::RestrictIds(const IdTrie& trie, std::span<uint8_t> /*allowed*/) const {
  return tokens_ + trie.depth() <= limit_;
}

std::unique_ptr<TokenConstraint> CrowdedBarConstraint::Clone() const {
  return std::make_unique<CrowdedBarConstraint>(*this);
}

}  // namespace continuo
