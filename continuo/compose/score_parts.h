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

// What continuing and filling share.

/// Copies what `keep` accepts, moved by `shift` ticks.
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

/// Whether a tokenizer's bars are those of the time signatures; otherwise they are 4/4 throughout.
inline bool BySignature(const Tokenizer& tokenizer) {
  return tokenizer.config().use_time_signatures;
}

/// All tracks but drums as one; there is one even in a score without tracks.
Score MergeTracks(const Score& score);

/// What a tokenizer reads of a score: track `track` alone where one is named; else the score itself if the tokenizer
/// knows several tracks, and its tracks merged if not.
Score ReadableScore(const Score& score, const Tokenizer& tokenizer, std::optional<size_t> track = std::nullopt);

/// What begins at or after `from` in decoded music, from tick 0, in another resolution. Durations are at least a tick.
Score NewPart(const Score& decoded, Tick from, int32_t ticks_per_quarter);

/// The track of `score` that new music of `track` joins, made if there is none: one of its program and kind, or, if the
/// tokenizer writes no programs, the first of its kind.
Track& HomeOf(Score& score, const Track& track, const Tokenizer& tokenizer);

}  // namespace continuo
