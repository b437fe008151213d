#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

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

template <typename Event>
void AppendSorted(std::vector<Event>& events, const std::vector<Event>& more) {
  events.insert(events.end(), more.begin(), more.end());
  std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
}

/// True if a tokenizer's bars are those of the time signatures; otherwise they are 4/4 throughout.
inline bool BySignature(const Tokenizer& tokenizer) {
  return tokenizer.config().use_time_signatures;
}

/// All tracks but drums as one, also of a score without tracks.
Score MergeTracks(const Score& score);

/// What a tokenizer reads of a score: track `track` alone if given; else the whole score if the
/// tokenizer has one stream for all tracks, and its tracks merged if not.
Score ReadableScore(const Score& score, const Tokenizer& tokenizer, std::optional<size_t> track = std::nullopt);

/// The events of decoded music at or after `from`, moved to tick 0 and scaled to another
/// resolution. Durations are at least a tick.
Score NewPart(const Score& decoded, Tick from, int32_t ticks_per_quarter);

/// The track of `score` that new music of `track` joins: the first with the same program and kind
/// (drums or not); if the tokenizer has no programs, otherwise the first of the same kind; else a
/// new one.
Track& HomeOf(Score& score, const Track& track, const Tokenizer& tokenizer);

}  // namespace continuo
