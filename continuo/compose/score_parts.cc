#include "continuo/compose/score_parts.h"

#include <array>
#include <limits>

namespace continuo {

namespace {

template <typename Event>
void AppendSorted(std::vector<Event>& events, const std::vector<Event>& more) {
  events.insert(events.end(), more.begin(), more.end());
  std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
}

/// All tracks but drums as one, also of a score without tracks.
Score MergeTracks(const Score& score) {
  Score merged = score;
  merged.tracks.assign(1, {});
  Track& all = merged.tracks.front();
  for (const Track& track : score.tracks) {
    if (track.is_drum) {
      continue;
    }
    if (all.notes.empty()) {
      all.program = track.program;
    }
    AppendSorted(all.notes, track.notes);
    AppendSorted(all.pedals, track.pedals);
    AppendSorted(all.pitch_bends, track.pitch_bends);
  }
  return merged;
}

}  // namespace

Score ReadableScore(const Score& score, const Tokenizer& tokenizer, std::optional<size_t> track) {
  Score readable = track || tokenizer.one_stream() ? score : MergeTracks(score);
  if (track) {
    readable.tracks = {score.tracks.at(*track)};
  }
  if (readable.tracks.empty()) {
    readable.tracks.emplace_back();
  }
  return readable;
}

Score NewPart(const Score& score, Tick from, int32_t ticks_per_quarter, const TickFraction& offset) {
  const int64_t old_resolution = score.ticks_per_quarter;
  const auto scale = [&](int64_t ticks) {
    const int64_t scaled =
        NearestTick({ticks * ticks_per_quarter * offset.denominator + offset.numerator * old_resolution,
                     old_resolution * offset.denominator});
    return static_cast<Tick>(std::min<int64_t>(scaled, std::numeric_limits<Tick>::max()));
  };
  Score part = SelectScore(
      score, [&](Tick time) { return time >= from; },
      [&](auto& event) {
        event.time -= from;
        if constexpr (requires { event.duration; }) {
          event.duration = std::max(1, scale(int64_t{event.time} + event.duration) - scale(event.time));
        }
        event.time = scale(event.time);
      });
  part.ticks_per_quarter = ticks_per_quarter;
  return part;
}

void EndRepeatedNotes(Score& score) {
  for (Track& track : score.tracks) {
    std::stable_sort(track.notes.begin(), track.notes.end(),
                     [](const Note& a, const Note& b) { return a.time < b.time; });
    constexpr size_t kNone = ~size_t{0};
    std::array<size_t, 128> last;
    last.fill(kNone);
    std::vector<Note> notes;
    for (const Note& note : track.notes) {
      size_t& earlier = last[note.pitch];
      if (earlier != kNone && notes[earlier].time == note.time) {
        continue;
      }
      if (earlier != kNone) {
        notes[earlier].duration = std::min(notes[earlier].duration, note.time - notes[earlier].time);
      }
      earlier = notes.size();
      notes.push_back(note);
    }
    track.notes = std::move(notes);
  }
}

}  // namespace continuo
