#include "continuo/token/decode.h"

namespace continuo {

Score DecodeIds(std::span<const std::vector<TokenId>> streams, const TokenTables& tables) {
  switch (tables.config.kind) {
    case TokenizationKind::kRemi:
      return DecodeRemi(streams, tables);
    case TokenizationKind::kTsd:
      return DecodeTsd(streams, tables);
    case TokenizationKind::kMidiLike:
      return DecodeMidiLike(streams, tables);
  }
  return {};
}

}  // namespace continuo
