#include "continuo/token/merge_tracks.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>
#include <vector>

#include "continuo/token/prepared_score.h"
#include "continuo/token/time_scale.h"

namespace continuo {
namespace {

template <typename Event>
void Append(std::vector<Event>& to, const std::vector<Event>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

template <typename Event>
void SortByTime(std::vector<Event>& events) {
  std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.time < b.time; });
}

/// The melodic tracks as one.
Track Joined(const Score& score) {
  Track joined;
  joined.name = "Piano";
  for (const Track& track : score.tracks) {
    if (!track.is_drum) {
      Append(joined.notes, track.notes);
      Append(joined.controls, track.controls);
      Append(joined.pitch_bends, track.pitch_bends);
      Append(joined.pedals, track.pedals);
      Append(joined.lyrics, track.lyrics);
    }
  }
  SortByTime(joined.notes);
  SortByTime(joined.controls);
  SortByTime(joined.pitch_bends);
  SortByTime(joined.pedals);
  SortByTime(joined.lyrics);
  return joined;
}

/// Makes one note of those of one pitch that begin together; returns how many that took away. The
/// notes are then in the order of time, pitch.
size_t DropDoubled(std::vector<PreparedNote>& notes) {
  std::sort(notes.begin(), notes.end(), [](const PreparedNote& a, const PreparedNote& b) {
    return std::tie(a.time, a.pitch, a.duration, a.velocity) < std::tie(b.time, b.pitch, b.duration, b.velocity);
  });
  size_t kept = 0;
  for (const PreparedNote& note : notes) {
    if (kept > 0 && notes[kept - 1].time == note.time && notes[kept - 1].pitch == note.pitch) {
      PreparedNote& first = notes[kept - 1];
      first.duration = std::max(first.duration, note.duration);
      first.velocity = std::max(first.velocity, note.velocity);
    } else {
      notes[kept++] = note;
    }
  }
  const size_t dropped = notes.size() - kept;
  notes.resize(kept);
  return dropped;
}

/// Ends each note by the next of its pitch; returns how many were too long. The notes are in the
/// order of time, no two of one pitch at one time.
size_t CutOverlaps(std::vector<PreparedNote>& notes, const PreparedScore& prepared, const TokenTables& tables) {
  const bool durations_have_tokens = !tables.note_on_off() && tables.uses_durations[1];  // program 0
  std::array<int32_t, 128> next;
  next.fill(INT32_MAX);
  size_t section = prepared.sections.size() - 1;
  size_t shortened = 0;
  for (size_t i = notes.size(); i-- > 0;) {
    PreparedNote& note = notes[i];
    while (section > 0 && prepared.sections[section - 1].end > note.time) {
      --section;
    }
    const int32_t room = next[note.pitch] - note.time;
    next[note.pitch] = note.time;
    if (note.duration <= room) {
      continue;
    }
    ++shortened;
    note.duration = room;
    if (durations_have_tokens) {
      const TimeTable& table = tables.time_table(prepared.sections[section].ticks_per_beat);
      note.duration = table.ticks()[table.Floor(std::max(room, table.min_ticks()))];
    }
  }
  return shortened;
}

template <typename Event>
void Rescale(std::vector<Event>& events, const TimeScale& scale) {
  for (Event& event : events) {
    event.time = scale(event.time);
    if constexpr (requires { event.duration; }) {
      event.duration = scale.Duration(event.duration);
    }
  }
}

void Rescale(Track& track, const TimeScale& scale) {
  Rescale(track.notes, scale);
  Rescale(track.controls, scale);
  Rescale(track.pitch_bends, scale);
  Rescale(track.pedals, scale);
  Rescale(track.lyrics, scale);
}

}  // namespace

Result<TrackMerger> TrackMerger::Create(const Tokenizer& tokenizer) {
  CONTINUO_ASSIGN(TokenTables tables, BuildTokenTables(tokenizer.config()));
  return TrackMerger(std::move(tables));
}

MergedTracks TrackMerger::Merge(const Score& score) const {
  MergedTracks merged;
  for (const Track& track : score.tracks) {
    merged.tracks += !track.is_drum && !track.notes.empty() ? 1 : 0;
  }
  merged.score = score;
  if (merged.tracks == 0) {
    return merged;
  }
  std::vector<Track>& tracks = merged.score.tracks;
  std::erase_if(tracks, [](const Track& track) { return !track.is_drum; });
  tracks.insert(tracks.begin(), Joined(score));

  const PreparedScore prepared = PrepareScore(merged.score, tables_);
  const TimeScale scale(std::max(1, score.ticks_per_quarter), prepared.ticks_per_quarter);
  for (Track& track : tracks) {
    Rescale(track, scale);
  }
  Rescale(merged.score.tempos, scale);
  Rescale(merged.score.key_signatures, scale);
  Rescale(merged.score.markers, scale);
  merged.score.ticks_per_quarter = prepared.ticks_per_quarter;
  merged.score.time_signatures = prepared.time_signatures;

  std::vector<Note>& notes = tracks[0].notes;
  notes.clear();
  const auto piano = std::find_if(prepared.tracks.begin(), prepared.tracks.end(),
                                  [](const PreparedTrack& track) { return track.program == 0; });
  if (piano == prepared.tracks.end()) {  // all its notes are outside the tokenizer's range
    return merged;
  }
  std::vector<PreparedNote> left = piano->notes;
  merged.dropped = DropDoubled(left);
  merged.shortened = CutOverlaps(left, prepared, tables_);
  merged.notes = left.size();
  notes.reserve(left.size());
  for (const PreparedNote& note : left) {
    notes.push_back({note.time, note.duration, note.pitch, note.velocity});
  }
  return merged;
}

}  // namespace continuo
