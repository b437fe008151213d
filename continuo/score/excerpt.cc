#include "continuo/score/excerpt.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <vector>

#include "continuo/core/check.h"
#include "continuo/midi/midi_format.h"
#include "continuo/score/bars.h"
#include "continuo/score/chord.h"

namespace continuo {
namespace {

constexpr int64_t kLatest = std::numeric_limits<Tick>::max();

/// The events in [from, to), moved to 0.
template <typename Event>
std::vector<Event> Between(const std::vector<Event>& events, Tick from, Tick to) {
  std::vector<Event> found;
  for (const Event& event : events) {
    if (event.time >= from && event.time < to) {
      found.push_back(event);
      found.back().time -= from;
    }
  }
  return found;
}

/// The same, with the last event before `from` at the head if none is at `from` itself.
template <typename Event>
std::vector<Event> InForce(const std::vector<Event>& events, Tick from, Tick to) {
  std::vector<Event> found = Between(events, from, to);
  const auto next = std::lower_bound(events.begin(), events.end(), from,
                                     [](const Event& event, Tick time) { return event.time < time; });
  if (next != events.begin() && (found.empty() || found.front().time > 0)) {
    found.insert(found.begin(), *std::prev(next));
    found.front().time = 0;
  }
  return found;
}

/// Controllers, with the last value of each before `from` at the head.
std::vector<ControlChange> ControlsInForce(const std::vector<ControlChange>& controls, Tick from, Tick to) {
  std::array<std::optional<uint8_t>, 256> values;
  for (const ControlChange& control : controls) {
    if (control.time < from) {
      values[control.number] = control.value;
    }
  }
  std::vector<ControlChange> found;
  for (size_t number = 0; number < values.size(); ++number) {
    if (values[number]) {
      found.push_back({0, static_cast<uint8_t>(number), *values[number]});
    }
  }
  const std::vector<ControlChange> inside = Between(controls, from, to);
  found.insert(found.end(), inside.begin(), inside.end());
  return found;
}

std::vector<Pedal> PedalsInForce(const std::vector<Pedal>& pedals, Tick from, Tick to) {
  std::vector<Pedal> found;
  for (const Pedal& pedal : pedals) {
    const int64_t end = std::min(int64_t{pedal.time} + pedal.duration, kLatest);
    if (pedal.time < to && (pedal.time >= from || end > from)) {
      const Tick begin = std::max(pedal.time, from);
      found.push_back({begin - from, static_cast<Tick>(end - begin)});
    }
  }
  return found;
}

/// The markers of the time, and before them the chord in force, where markers name chords.
std::vector<TextEvent> MarkersInForce(const std::vector<TextEvent>& markers, Tick from, Tick to) {
  std::vector<TextEvent> found = Between(markers, from, to);
  const auto is_chord = [](const TextEvent& marker) { return ParseChordMarker(marker.text).has_value(); };
  const bool starts_with_chord = std::any_of(
      found.begin(), found.end(), [&](const TextEvent& marker) { return marker.time == 0 && is_chord(marker); });
  const auto first = std::lower_bound(markers.begin(), markers.end(), from,
                                      [](const TextEvent& marker, Tick time) { return marker.time < time; });
  const auto last = std::find_if(std::make_reverse_iterator(first), markers.rend(), is_chord);
  if (last != markers.rend() && !starts_with_chord) {
    found.insert(found.begin(), {0, last->text});
  }
  return found;
}

void CutAt(Tick length, Track& track) {
  for (Note& note : track.notes) {
    note.duration = std::min(note.duration, length - note.time);
  }
  for (Pedal& pedal : track.pedals) {
    pedal.duration = std::min(pedal.duration, length - pedal.time);
  }
  const auto last = std::find_if(track.controls.rbegin(), track.controls.rend(),
                                 [](const ControlChange& control) { return control.number == kSustainPedal; });
  if (last != track.controls.rend() && last->value >= kPedalDown) {
    track.controls.push_back({length, kSustainPedal, 0});
  }
}

}  // namespace

Score Excerpt(const Score& score, Tick from, Tick to, bool cut) {
  CONTINUO_CHECK(from >= 0 && from <= to);
  Score excerpt;
  excerpt.ticks_per_quarter = score.ticks_per_quarter;
  excerpt.tempos = InForce(score.tempos, from, to);
  excerpt.time_signatures = InForce(score.time_signatures, from, to);
  excerpt.key_signatures = InForce(score.key_signatures, from, to);
  excerpt.markers = MarkersInForce(score.markers, from, to);
  for (const Track& track : score.tracks) {
    Track& part = excerpt.tracks.emplace_back();
    part.name = track.name;
    part.program = track.program;
    part.is_drum = track.is_drum;
    part.notes = Between(track.notes, from, to);
    part.controls = ControlsInForce(track.controls, from, to);
    part.pitch_bends = InForce(track.pitch_bends, from, to);
    part.pedals = PedalsInForce(track.pedals, from, to);
    part.lyrics = Between(track.lyrics, from, to);
    if (cut) {
      CutAt(to - from, part);
    }
  }
  return excerpt;
}

Score ExcerptBars(const Score& score, size_t first, size_t last, bool by_signature, bool cut) {
  CONTINUO_CHECK(first <= last);
  const BarGrid grid(score, by_signature);
  return Excerpt(score, grid.Line(first), grid.Line(last), cut);
}

}  // namespace continuo
