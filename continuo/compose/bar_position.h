#pragma once

#include <cstdint>
#include <span>

#include "continuo/token/id_trie.h"
#include "continuo/token/vocabulary.h"

namespace continuo {

/// Where a stream with bar and position tokens is.
struct BarPosition {
  int64_t bar = -1;   // counted from 0; -1 before the first
  int position = -1;  // of the bar's last Position token; -1 before it

  void Advance(const TokenInfo& token);
  /// Forbids the positions after `latest`, the end of the bar and the end of the piece.
  void ForbidPassing(int latest, const Vocabulary& vocabulary, std::span<uint8_t> allowed) const;
};

/// Sets allowed[id] to 0 for each id of a range that `forbidden` accepts.
template <typename Forbidden>
void ForbidWhere(const IdRange& ids, std::span<uint8_t> allowed, const Forbidden& forbidden) {
  for (TokenId id = ids.first; id < ids.end(); ++id) {
    if (forbidden(id)) {
      allowed[static_cast<size_t>(id)] = 0;
    }
  }
}

/// Sets allowed[id] to 0 for each id of a trained vocabulary that has a token of a range that
/// `forbidden` accepts.
template <typename Forbidden>
void ForbidIdsHaving(const IdRange& tokens, const IdTrie& trie, std::span<uint8_t> allowed,
                     const Forbidden& forbidden) {
  for (TokenId token = tokens.first; token < tokens.end(); ++token) {
    if (forbidden(token)) {
      for (const TokenId id : trie.Having(token)) {
        allowed[static_cast<size_t>(id)] = 0;
      }
    }
  }
}

/// Sets allowed[id] to 0 for each id of a type.
void Forbid(TokenType type, const Vocabulary& vocabulary, std::span<uint8_t> allowed);

/// Allows `id` alone.
void AllowOnly(TokenId id, std::span<uint8_t> allowed);

}  // namespace continuo
