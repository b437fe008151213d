#pragma once

#include <vector>

#include "continuo/score/score.h"
#include "continuo/token/event_list.h"
#include "continuo/token/token_tables.h"

namespace continuo {

/// The ids of a score, one list for each track or one for all, as MidiTok writes them.
std::vector<std::vector<TokenId>> EncodeScore(const Score& score, const TokenTables& tables);

/// Puts Bar, TimeSig, Position and Rest between the events of one stream of REMI.
std::vector<TokenId> EncodeRemi(const EventList& list, int32_t ticks_per_quarter, const TokenTables& tables);

/// Puts TimeShift and Rest between the events of one stream of MIDI-Like or TSD.
std::vector<TokenId> EncodeShifts(const EventList& list, int32_t ticks_per_quarter, const TokenTables& tables);

}  // namespace continuo
