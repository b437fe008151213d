#include "continuo/compose/kept_top.h"

#include <algorithm>
#include <set>
#include <utility>

namespace continuo {

std::vector<size_t> TopNotes(std::span<const MidiNote> notes, uint32_t begin, uint32_t end, int32_t ticks_per_quarter,
                             const NoteFilter& selected) {
  std::vector<size_t> order;
  for (size_t i = 0; i < notes.size(); ++i) {
    if (notes[i].begin >= begin && notes[i].begin < end && selected(notes[i])) {
      order.push_back(i);
    }
  }
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return std::pair(notes[a].begin, a) < std::pair(notes[b].begin, b); });
  const uint32_t together = static_cast<uint32_t>(std::max(1, ticks_per_quarter)) / 8;
  const uint32_t recent = static_cast<uint32_t>(std::max(1, ticks_per_quarter)) * 4;
  constexpr int kOctave = 12;

  std::vector<size_t> top;
  for (size_t first = 0; first < order.size();) {
    size_t highest = order[first];
    size_t next = first;
    for (; next < order.size() && notes[order[next]].begin - notes[order[first]].begin <= together; ++next) {
      if (notes[order[next]].pitch > notes[highest].pitch) {
        highest = order[next];
      }
    }
    first = next;
    const MidiNote& note = notes[highest];
    bool accompanies = false;
    for (size_t i = top.size(); i-- > 0 && !accompanies;) {
      const MidiNote& kept = notes[top[i]];
      if (kept.begin + recent < note.begin) {
        break;
      }
      accompanies = (kept.pitch > note.pitch && kept.end > note.begin + together) || kept.pitch > note.pitch + kOctave;
    }
    if (!accompanies) {
      top.push_back(highest);
    }
  }
  return top;
}

void RemoveKept(Score& decoded, std::span<const KeptNote> kept) {
  if (kept.empty()) {
    return;
  }
  std::set<std::pair<int32_t, int>> places;
  for (const KeptNote& note : kept) {
    places.emplace(note.tick, note.pitch);
  }
  for (Track& track : decoded.tracks) {
    if (!track.is_drum) {
      std::erase_if(track.notes, [&](const Note& note) { return places.contains({note.time, note.pitch}); });
    }
  }
}

}  // namespace continuo
