#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "continuo/score/bars.h"
#include "continuo/score/score.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// Copies the events whose time `keep` accepts, each changed by `move`.
template <typename Event, typename Keep, typename Move>
std::vector<Event> Select(const std::vector<Event>& events, const Keep& keep, const Move& move) {
  std::vector<Event> selected;
  for (Event event : events) {
    if (keep(event.time)) {
      move(event);
      selected.push_back(std::move(event));
    }
  }
  return selected;
}

/// The part of a score whose events `keep` accepts by their time, each changed by `move`.
template <typename Keep, typename Move>
Score SelectScore(const Score& score, const Keep& keep, const Move& move) {
  Score selected;
  selected.ticks_per_quarter = score.ticks_per_quarter;
  selected.tempos = Select(score.tempos, keep, move);
  selected.time_signatures = Select(score.time_signatures, keep, move);
  selected.key_signatures = Select(score.key_signatures, keep, move);
  selected.markers = Select(score.markers, keep, move);
  for (const Track& track : score.tracks) {
    Track& part = selected.tracks.emplace_back();
    part.name = track.name;
    part.program = track.program;
    part.is_drum = track.is_drum;
    part.notes = Select(track.notes, keep, move);
    part.controls = Select(track.controls, keep, move);
    part.pitch_bends = Select(track.pitch_bends, keep, move);
    part.pedals = Select(track.pedals, keep, move);
    part.lyrics = Select(track.lyrics, keep, move);
  }
  return selected;
}

/// What a tokenizer reads of a score: track `track` alone if given; else the whole score if the
/// tokenizer has one stream for all tracks, and its tracks but drums merged if not. Has a track.
Score ReadableScore(const Score& score, const Tokenizer& tokenizer, std::optional<size_t> track = std::nullopt);

/// The events at or after `from` of a score, moved to tick 0, scaled to another resolution and
/// moved by `offset`, at most half a tick either way, before they are rounded to ticks. Durations
/// are at least a tick. Times that would pass the last tick are cut to it.
Score NewPart(const Score& score, Tick from, int32_t ticks_per_quarter, const TickFraction& offset = {});

/// Ends each note where the next of its pitch begins in its track, and removes all but the first of
/// the notes of a pitch that begin together.
void EndRepeatedNotes(Score& score);

}  // namespace continuo
