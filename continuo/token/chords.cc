#include "continuo/token/chords.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace continuo {

namespace {

constexpr size_t kWindow = 10;    // notes looked at together
constexpr int kMaxInterval = 24;  // semitones from the first to the last note of a chord

// MidiTok takes the resolution of the first range that has beat 0 among its ends.
int FirstBeatResolution(const TokenizerConfig& config) {
  for (const BeatRange& range : config.beat_res) {
    if (range.first == 0) {
      return range.resolution;
    }
  }
  return config.beat_res.front().resolution;
}

// The token of a chord given by its intervals, or kNoToken.
TokenId ChordToken(const TokenTables& tables, const int* intervals, size_t count, int root) {
  const std::vector<ChordMap>& chords = tables.config.chord_maps;
  for (size_t i = 0; i < chords.size(); ++i) {
    const std::vector<int>& known = chords[i].intervals;
    if (known.size() == count && std::equal(known.begin(), known.end(), intervals)) {
      return tables.chord[i][static_cast<size_t>(root)];
    }
  }
  return count < tables.unknown_chord.size() ? tables.unknown_chord[count][static_cast<size_t>(root)] : kNoToken;
}

}  // namespace

std::vector<DetectedChord> DetectChords(const std::vector<PreparedNote>& notes,
                                        const std::vector<BeatSection>& sections, const TokenTables& tables) {
  std::vector<DetectedChord> chords;
  const int resolution = FirstBeatResolution(tables.config);
  // Notes are in the order of time but for what Grid304 does.
  const bool sorted = std::is_sorted(notes.begin(), notes.end(),
                                     [](const PreparedNote& a, const PreparedNote& b) { return a.time < b.time; });
  size_t section = 0;
  int32_t previous = -1;
  size_t first = 0;
  while (first < notes.size()) {
    const PreparedNote& lowest = notes[first];
    if (lowest.time == previous) {
      ++first;
      continue;
    }
    while (section + 1 < sections.size() && lowest.time >= sections[section].end) {
      ++section;
    }
    const int32_t half = sections[section].ticks_per_beat / 2;
    // Notes at most one part of a beat apart; compared without the division.
    const int64_t reach = sections[section].ticks_per_beat;
    const size_t limit = std::min(notes.size(), first + kWindow);
    std::array<const PreparedNote*, kWindow> group;
    size_t count = 0;
    bool ambiguous = false;
    for (size_t i = first; i < limit; ++i) {
      if (static_cast<int64_t>(notes[i].time - lowest.time) * resolution > reach) {
        if (sorted) {
          break;
        }
        continue;
      }
      ambiguous = ambiguous || std::abs(notes[i].end() - lowest.end()) > half;
      group[count++] = &notes[i];
    }
    if (ambiguous) {
      first += count;
      continue;
    }
    if (lowest.duration <= half) {
      count = static_cast<size_t>(
          std::remove_if(group.begin(), group.begin() + count,
                         [&lowest](const PreparedNote* note) { return note->time != lowest.time; }) -
          group.begin());
    }
    if (count >= 3 && count <= 5 && group[count - 1]->pitch - lowest.pitch <= kMaxInterval) {
      std::array<int, 5> intervals{};
      int32_t time = lowest.time;
      for (size_t i = 0; i < count; ++i) {
        intervals[i] = group[i]->pitch - lowest.pitch;
        time = std::min(time, group[i]->time);
      }
      const TokenId id = ChordToken(tables, intervals.data(), count, lowest.pitch % 12);
      if (id != kNoToken) {
        chords.push_back({time, id});
      }
    }
    previous = lowest.time;
    for (size_t i = 0; i < count; ++i) {
      previous = std::max(previous, group[i]->time);
    }
    first += count;
  }
  return chords;
}

}  // namespace continuo
