#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "continuo/token/prepared_score.h"
#include "continuo/token/token_tables.h"

namespace continuo {

/// What happens at one tick and is written in one go: a note, a tempo, the end of a note, ...
struct ScoreEvent {
  enum class Kind : uint8_t { kTimeSig, kTempo, kHarmony, kPedal, kPedalOff, kBend, kChord, kNote, kNoteOff };

  int32_t time = 0;
  int32_t end = 0;  // kNote: its end; kTimeSig: index into TokenTables::time_signatures
  Kind kind = Kind::kNote;
  uint8_t count = 0;              // tokens in `ids`
  int16_t program = 0;            // -1: drums
  std::array<uint16_t, 4> ids{};  // with the program before, where the configuration writes one
};

/// The events of a stream, and the order in which they are written.
struct EventList {
  std::vector<ScoreEvent> events;
  std::vector<uint32_t> order;  // positions in `events`
};

/// The events of a prepared score in the order in which MidiTok writes them: one list for each
/// track, or one for all. A score without tracks gives one list, of its tempos and time signatures.
std::vector<EventList> OrderedEvents(const PreparedScore& score, const TokenTables& tables);

}  // namespace continuo
