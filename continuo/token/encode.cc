#include "continuo/token/encode.h"

#include "continuo/token/representation.h"

namespace continuo {

namespace {

/// The Program token at the head of the i-th stream, if each stream has one.
TokenId ProgramOf(const PreparedScore& prepared, size_t i, const TokenTables& tables) {
  return tables.config.program_changes && !tables.one_stream() && i < prepared.tracks.size()
             ? tables.program[static_cast<size_t>(prepared.tracks[i].program + 1)]
             : kNoToken;
}

}  // namespace

std::vector<std::vector<TokenId>> EncodeScore(const Score& score, const TokenTables& tables) {
  const PreparedScore prepared = PrepareScore(score, tables);
  return EncodePrepared(prepared, OrderedEvents(prepared, tables), tables);
}

std::vector<std::vector<TokenId>> EncodePrepared(const PreparedScore& prepared, const std::vector<EventList>& lists,
                                                 const TokenTables& tables) {
  std::vector<std::vector<TokenId>> streams;
  for (const EventList& list : lists) {
    const TokenId program = ProgramOf(prepared, streams.size(), tables);
    std::vector<TokenId>& ids =
        streams.emplace_back(tables.representation->encode_events(list, prepared.ticks_per_quarter, tables));
    if (program != kNoToken) {
      ids.insert(ids.begin(), program);
    }
  }
  return streams;
}

std::vector<EncodedStream> EncodeTimed(const PreparedScore& prepared, const TokenTables& tables) {
  std::vector<EncodedStream> streams;
  for (const EventList& list : OrderedEvents(prepared, tables)) {
    const TokenId program = ProgramOf(prepared, streams.size(), tables);
    EncodedStream& stream =
        streams.emplace_back(tables.representation->encode_timed(list, prepared.ticks_per_quarter, tables));
    if (program != kNoToken) {
      stream.ids.insert(stream.ids.begin(), program);
      stream.times.insert(stream.times.begin(), 0);
    }
  }
  return streams;
}

}  // namespace continuo
