#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "continuo/score/chord.h"
#include "continuo/score/score.h"
#include "continuo/token/token_tables.h"

namespace continuo {

/// Times and durations in a prepared score of so many ticks per quarter are in 0..MostTicks. What
/// is later is moved there, which bounds how many bars and time shifts a file with an absurd delta
/// time can ask for: those of 2^23 quarters, less where a note's end would be past 2^31 ticks.
constexpr int32_t MostTicks(int32_t ticks_per_quarter) {
  return static_cast<int32_t>(
      std::clamp((int64_t{1} << 23) * ticks_per_quarter, int64_t{1} << 26, (int64_t{1} << 30) - 1));
}

struct PreparedNote {
  int32_t time = 0;
  int32_t duration = 0;
  uint8_t pitch = 0;
  uint8_t velocity = 0;  // as in the score; its token is that of the nearest velocity
  int32_t end() const { return time + duration; }
};

struct PreparedBend {
  int32_t time = 0;
  size_t index = 0;  // into TokenTables::pitch_bend
};

struct PreparedTrack {
  int program = 0;  // -1: drums
  std::vector<PreparedNote> notes;
  std::vector<Pedal> pedals;
  std::vector<PreparedBend> bends;
  int32_t last_unwritten = 0;  // time of the last controller, lyric or bend that has no token
  int32_t unwritten_end = 0;   // the end of all that has no token, pedals included
};

struct PreparedTempo {
  int32_t time = 0;
  size_t index = 0;  // into TokenTables::tempos
};

/// From the end of the section before (or 0) to before `end`, a beat has `ticks_per_beat` ticks.
struct BeatSection {
  int32_t end = INT32_MAX;
  int32_t ticks_per_beat = 0;
};

/// A score on the grid of a tokenizer: times resampled, velocities, durations and tempos moved to
/// those that have tokens, tracks filtered and merged.
struct PreparedScore {
  int32_t ticks_per_quarter = 0;
  std::vector<TimeSignature> time_signatures;  // at least one
  std::vector<PreparedTempo> tempos;
  std::vector<ChordChange> chords;  // of REMIChord
  std::vector<PreparedTrack> tracks;
  std::vector<BeatSection> sections;  // at least one; the last has no end
};

/// The end of all that MidiTok still has when it writes tokens, also of what has none: events are
/// at their times, and what sounds ends.
int32_t EndOfScore(const Score& score, const PreparedScore& prepared, const TokenTables& tables);

PreparedScore PrepareScore(const Score& score, const TokenTables& tables);

}  // namespace continuo
