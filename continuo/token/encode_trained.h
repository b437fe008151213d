#pragma once

#include <functional>
#include <span>
#include <vector>

#include "continuo/score/score.h"
#include "continuo/token/token_tables.h"
#include "continuo/token/trained_vocabulary.h"

namespace continuo {

/// Calls `visit` with the tokens of each word of a score, one stream after the other: what MidiTok
/// encodes at once. Those of bars or beats without tokens are empty.
void ForEachWord(const Score& score, const TokenTables& tables, TrainedVocabulary::Split split,
                 const std::function<void(size_t stream, std::span<const TokenId> word)>& visit);

/// The ids of a score in a trained vocabulary, one list for each track or one for all, as MidiTok
/// writes them.
std::vector<std::vector<TokenId>> EncodeTrained(const Score& score, const TokenTables& tables,
                                                const TrainedVocabulary& vocabulary);

}  // namespace continuo
