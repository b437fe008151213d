#include "continuo/midi/document_edit.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <tuple>
#include <utility>

#include "continuo/core/check.h"

namespace continuo {
namespace {

/// Removes the events of a track that are marked.
void Remove(MidiTrack& track, const std::vector<uint8_t>& marked) {
  size_t kept = 0;
  for (size_t i = 0; i < track.events.size(); ++i) {
    if (marked[i] == 0) {
      track.events[kept++] = track.events[i];
    }
  }
  track.events.resize(kept);
}

std::vector<std::vector<uint8_t>> NoMarks(const MidiDocument& document) {
  std::vector<std::vector<uint8_t>> marks;
  marks.reserve(document.tracks.size());
  for (const MidiTrack& track : document.tracks) {
    marks.emplace_back(track.events.size(), uint8_t{0});
  }
  return marks;
}

/// What of a document a new note of one channel and pitch must not touch.
struct Obstacle {
  uint32_t begin;
  uint32_t end;        // begin, for what only ends notes
  uint32_t track;      // in which it begins
  uint32_t end_track;  // in which it ends
};

constexpr size_t kSlots = kMidiChannels * kMidiPitches;

size_t SlotOf(uint8_t channel, uint8_t pitch) {
  return size_t{channel} * kMidiPitches + pitch;
}

/// The obstacles of each channel and pitch, in the order of time.
class Obstacles {
 public:
  explicit Obstacles(const MidiDocument& document) : slots_(kSlots) {
    const std::vector<MidiNote> notes = PairNotes(document);
    for (const MidiNote& note : notes) {
      slots_[SlotOf(note.channel, note.pitch)].push_back({note.begin, note.end, note.track, note.track});
    }
    const std::vector<std::vector<uint32_t>> orphans = OrphanNoteOffs(document, notes);
    for (uint32_t i = 0; i < document.tracks.size(); ++i) {
      const std::vector<MidiEvent>& events = document.tracks[i].events;
      for (const uint32_t j : orphans[i]) {
        slots_[SlotOf(events[j].channel(), events[j].data1)].push_back({events[j].time, events[j].time, i, i});
      }
      for (const MidiEvent& event : events) {
        if (SilencesNotes(event)) {
          silencers_[event.channel()].push_back({event.time, event.time, i, i});
        }
      }
    }
    const auto earlier = [](const Obstacle& a, const Obstacle& b) { return a.begin < b.begin; };
    for (std::vector<Obstacle>& slot : slots_) {
      std::stable_sort(slot.begin(), slot.end(), earlier);
      // From here on `end` is the latest end so far, so that what sounds at a time is found by one
      // look-up.
      for (size_t i = 1; i < slot.size(); ++i) {
        if (slot[i - 1].end > slot[i].end) {
          slot[i].end = slot[i - 1].end;
          slot[i].end_track = slot[i - 1].end_track;
        }
      }
    }
    for (std::vector<Obstacle>& channel : silencers_) {
      std::stable_sort(channel.begin(), channel.end(), earlier);
    }
  }

  /// Whether a note can begin: nothing of its pitch sounds then, nor ends then in a later track,
  /// where readers that merge tracks would find the end after the new beginning.
  bool IsFree(const NewMidiNote& note) const {
    const std::vector<Obstacle>& slot = slots_[SlotOf(note.channel, note.pitch)];
    auto next = std::upper_bound(slot.begin(), slot.end(), note.begin, Before);
    if (next != slot.begin()) {
      --next;
      if (next->end > note.begin || (next->end == note.begin && next->end_track > note.track)) {
        return false;
      }
    }
    const std::vector<Obstacle>& silencers = silencers_[note.channel];
    for (auto at = std::upper_bound(silencers.begin(), silencers.end(), note.begin, Before);
         at != silencers.begin() && std::prev(at)->begin == note.begin; --at) {
      if (std::prev(at)->track > note.track) {
        return false;
      }
    }
    return true;
  }

  /// When a note that begins at a free time must end.
  uint32_t LatestEnd(const NewMidiNote& note) const {
    uint32_t end = std::numeric_limits<uint32_t>::max();
    for (const auto* list : {&slots_[SlotOf(note.channel, note.pitch)], &silencers_[note.channel]}) {
      const auto next = std::upper_bound(list->begin(), list->end(), note.begin, Before);
      if (next != list->end()) {
        // What begins in an earlier track would come before this note's end for a reader that
        // merges tracks.
        const bool apart = next->track < note.track && next->begin - note.begin > 1;
        end = std::min(end, next->begin - (apart ? 1 : 0));
      }
    }
    return end;
  }

 private:
  static bool Before(uint32_t time, const Obstacle& obstacle) { return time < obstacle.begin; }

  std::vector<std::vector<Obstacle>> slots_;
  std::array<std::vector<Obstacle>, kMidiChannels> silencers_;
};

}  // namespace

void InsertEvents(MidiDocument& document, std::vector<MidiInsertion> insertions) {
  const auto place = [](const MidiInsertion& x) { return std::tuple(x.track, x.index, x.event.time); };
  std::stable_sort(insertions.begin(), insertions.end(),
                   [&](const MidiInsertion& a, const MidiInsertion& b) { return place(a) < place(b); });
  for (auto begin = insertions.begin(); begin != insertions.end();) {
    MidiTrack& track = document.tracks.at(begin->track);
    const auto end = std::find_if(begin, insertions.end(),
                                  [&](const MidiInsertion& insertion) { return insertion.track != begin->track; });
    std::vector<MidiEvent> events;
    events.reserve(track.events.size() + static_cast<size_t>(end - begin));
    uint32_t next = 0;
    for (; begin != end; ++begin) {
      CONTINUO_CHECK(begin->index <= track.events.size());
      for (; next < begin->index; ++next) {
        events.push_back(track.events[next]);
      }
      events.push_back(begin->event);
    }
    events.insert(events.end(), track.events.begin() + next, track.events.end());
    track.events = std::move(events);
    track.end = std::max(track.end, track.events.back().time);
  }
}

uint32_t FirstAt(const MidiTrack& track, uint32_t time) {
  const auto first = std::lower_bound(track.events.begin(), track.events.end(), time,
                                      [](const MidiEvent& event, uint32_t t) { return event.time < t; });
  return static_cast<uint32_t>(first - track.events.begin());
}

uint32_t FirstAfter(const MidiTrack& track, uint32_t time) {
  const auto first = std::upper_bound(track.events.begin(), track.events.end(), time,
                                      [](uint32_t t, const MidiEvent& event) { return t < event.time; });
  return static_cast<uint32_t>(first - track.events.begin());
}

void KeepBefore(MidiDocument& document, uint32_t time) {
  std::vector<std::vector<uint8_t>> dropped = NoMarks(document);
  for (size_t i = 0; i < document.tracks.size(); ++i) {
    const uint32_t first = FirstAt(document.tracks[i], time);
    std::fill(dropped[i].begin() + first, dropped[i].end(), uint8_t{1});
  }
  for (const MidiNote& note : PairNotes(document)) {
    if (note.begin < time && note.ended_by == MidiNote::End::kNoteOff) {
      dropped[note.track][note.off] = 0;
    }
  }
  for (size_t i = 0; i < document.tracks.size(); ++i) {
    MidiTrack& track = document.tracks[i];
    Remove(track, dropped[i]);
    track.end = std::min(track.end, time);
    if (!track.events.empty()) {
      track.end = std::max(track.end, track.events.back().time);
    }
  }
}

size_t RemoveNotes(MidiDocument& document, uint32_t begin, uint32_t end, const NoteFilter& selected) {
  const std::vector<MidiNote> notes = PairNotes(document);
  std::vector<std::vector<uint8_t>> removed = NoMarks(document);
  size_t count = 0;
  for (const MidiNote& note : notes) {
    if (note.begin >= begin && note.begin < end && selected(note)) {
      removed[note.track][note.on] = 1;
      if (note.ended_by == MidiNote::End::kNoteOff) {
        removed[note.track][note.off] = 1;
      }
      ++count;
    }
  }
  for (size_t i = 0; i < document.tracks.size(); ++i) {
    Remove(document.tracks[i], removed[i]);
  }
  return count;
}

FittedNotes FitNotes(const MidiDocument& document, std::vector<NewMidiNote> notes) {
  const Obstacles obstacles(document);
  std::stable_sort(notes.begin(), notes.end(),
                   [](const NewMidiNote& a, const NewMidiNote& b) { return a.begin < b.begin; });
  constexpr size_t kNone = ~size_t{0};
  std::vector<size_t> last(kSlots, kNone);  // the last new note of a channel and pitch
  FittedNotes fitted;
  for (NewMidiNote note : notes) {
    CONTINUO_CHECK(note.begin < note.end && note.pitch < kMidiPitches && note.channel < kMidiChannels);
    size_t& earlier = last[SlotOf(note.channel, note.pitch)];
    const bool together = earlier != kNone && fitted.notes[earlier].begin == note.begin;
    if (together || !obstacles.IsFree(note)) {
      ++fitted.dropped;
      continue;
    }
    if (const uint32_t latest = obstacles.LatestEnd(note); latest < note.end) {
      note.end = latest;
      ++fitted.shortened;
    }
    if (earlier != kNone) {
      NewMidiNote& before = fitted.notes[earlier];
      // In a later track the end would come after the new beginning for a reader that merges
      // tracks.
      const uint32_t gap = before.track > note.track && note.begin - before.begin > 1 ? 1 : 0;
      if (before.end > note.begin - gap) {
        before.end = note.begin - gap;
        ++fitted.shortened;
      }
    }
    earlier = fitted.notes.size();
    fitted.notes.push_back(note);
  }
  return fitted;
}

void InsertNotes(MidiDocument& document, const std::vector<NewMidiNote>& notes) {
  std::vector<MidiInsertion> insertions;
  insertions.reserve(2 * notes.size());
  for (const NewMidiNote& note : notes) {
    const auto status = static_cast<uint8_t>(kNoteOff | note.channel);
    insertions.push_back(
        {note.track, FirstAt(document.tracks.at(note.track), note.end), NewMessage(note.end, status, note.pitch)});
  }
  for (const NewMidiNote& note : notes) {
    const auto status = static_cast<uint8_t>(kNoteOn | note.channel);
    insertions.push_back({note.track, FirstAfter(document.tracks.at(note.track), note.begin),
                          NewMessage(note.begin, status, note.pitch, note.velocity)});
  }
  InsertEvents(document, std::move(insertions));
}

}  // namespace continuo
