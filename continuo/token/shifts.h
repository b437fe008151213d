#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "continuo/token/encode.h"
#include "continuo/token/grammar.h"
#include "continuo/token/token_tables.h"
#include "continuo/token/token_tables_builder.h"

namespace continuo {

// What MIDI-Like and TSD share: streams in which time is in TimeShift and Rest tokens. They differ
// in how the end of a note is written.

void WriteShiftVocabulary(TokenTablesBuilder& builder);
std::vector<TokenId> EncodeShifts(const EventList& list, int32_t ticks_per_quarter, const TokenTables& tables);
EncodedStream EncodeTimedShifts(const EventList& list, int32_t ticks_per_quarter, const TokenTables& tables);
/// `tables` must outlive the grammar and its clones.
std::unique_ptr<Grammar> NewShiftGrammar(const TokenTables& tables, const GrammarTarget& target);

}  // namespace continuo
