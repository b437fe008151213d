#include "continuo/compose/bar_position.h"

#include <algorithm>

namespace continuo {

void BarPosition::Advance(const TokenInfo& token) {
  if (token.type == TokenType::kBar) {
    ++bar;
    position = -1;
  } else if (token.type == TokenType::kPosition) {
    position = token.value;
  }
}

void BarPosition::ForbidPassing(int latest, const Vocabulary& vocabulary, std::span<uint8_t> allowed) const {
  ForbidWhere(vocabulary.range(TokenType::kPosition), allowed,
              [&](TokenId id) { return vocabulary.info(id).value > latest; });
  if (bar < 0) {
    return;  // the first bar is yet to be opened
  }
  Forbid(TokenType::kBar, vocabulary, allowed);
  if (const std::optional<TokenId> eos = vocabulary.eos()) {
    allowed[static_cast<size_t>(*eos)] = 0;
  }
}

void Forbid(TokenType type, const Vocabulary& vocabulary, std::span<uint8_t> allowed) {
  const IdRange ids = vocabulary.range(type);
  std::fill_n(allowed.begin() + ids.first, ids.count, uint8_t{0});
}

void AllowOnly(TokenId id, std::span<uint8_t> allowed) {
  std::fill(allowed.begin(), allowed.end(), uint8_t{0});
  allowed[static_cast<size_t>(id)] = 1;
}

}  // namespace continuo
