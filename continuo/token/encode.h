#pragma once

#include <cstdint>
#include <vector>

#include "continuo/score/score.h"
#include "continuo/token/event_list.h"
#include "continuo/token/prepared_score.h"
#include "continuo/token/token_tables.h"

namespace continuo {

/// Ids and, in ticks of the prepared score, the time that MidiTok gives each: that of the event it
/// belongs to; of Rest and TimeShift, where they begin; of Bar_End, the tick before the bar line.
struct EncodedStream {
  std::vector<TokenId> ids;
  std::vector<int32_t> times;
};

// For representations that write events one after the other (Representation::encode_events).

/// The ids of a score, one list for each track or one for all, as MidiTok writes them.
std::vector<std::vector<TokenId>> EncodeScore(const Score& score, const TokenTables& tables);

/// The same of a score prepared by the same tables, and its events.
std::vector<std::vector<TokenId>> EncodePrepared(const PreparedScore& prepared, const std::vector<EventList>& lists,
                                                 const TokenTables& tables);

/// EncodeScore with times, of a score prepared by the same tables.
std::vector<EncodedStream> EncodeTimed(const PreparedScore& prepared, const TokenTables& tables);

}  // namespace continuo
