#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/score/score.h"

namespace continuo {

/// The qualities of chords, by the names that Pop1K7's markers give them, with their notes in
/// semitones above the root: major, minor, dominant, major and minor seventh, diminished,
/// augmented, suspended, half and fully diminished.
struct ChordQualityName {
  std::string_view name;
  std::array<int8_t, 4> intervals;  // -1: none
};
inline constexpr std::array<ChordQualityName, 11> kChordQualities = {{
    {"M", {0, 4, 7, -1}},
    {"m", {0, 3, 7, -1}},
    {"7", {0, 4, 7, 10}},
    {"M7", {0, 4, 7, 11}},
    {"m7", {0, 3, 7, 10}},
    {"o", {0, 3, 6, -1}},
    {"+", {0, 4, 8, -1}},
    {"sus2", {0, 2, 7, -1}},
    {"sus4", {0, 5, 7, -1}},
    {"/o7", {0, 3, 6, 10}},
    {"o7", {0, 3, 6, 9}},
}};

/// Every label has a number: quality * 12 + root, and this for "no chord".
inline constexpr size_t kNoChordIndex = kChordQualities.size() * 12;
inline constexpr size_t kChordLabels = kNoChordIndex + 1;

/// The name of a chord: a root and a quality, or "no chord".
struct ChordLabel {
  uint8_t root = 0;     // 0..11, 0 is C; 0 of no chord
  uint8_t quality = 0;  // index into kChordQualities, or its size: no chord
  bool operator==(const ChordLabel&) const = default;

  static ChordLabel FromIndex(size_t index) {
    return {static_cast<uint8_t>(index % 12), static_cast<uint8_t>(index / 12)};
  }
  size_t index() const { return size_t{quality} * 12 + root; }
  bool none() const { return quality == kChordQualities.size(); }
  /// "F#_m7"; "N" for no chord.
  std::string Text() const;
};

/// From `time` to the next change.
struct ChordChange {
  Tick time = 0;
  ChordLabel chord;
  bool operator==(const ChordChange&) const = default;
};

/// Reads ROOT_QUALITY_BASS or ROOT_QUALITY, as Pop1K7's markers are written ("A_M7_E"; "N" and
/// "N_N_N" are no chord). Roots may have a sharp or a flat ("Bb"); what the bass says is passed
/// over. Nothing if the text is no chord.
std::optional<ChordLabel> ParseChordMarker(std::string_view text);

/// Reads a chord as lead sheets write it: a root, and nothing or "maj" (major), "m", "min" or "-"
/// (minor), "7", "maj7" or "M7", "m7", "min7" or "-7", "dim" or "o", "aug" or "+", "sus2", "sus4"
/// or "sus", "m7b5" or "/o7", "dim7" or "o7"; "N" is no chord. Nothing if the text is no chord.
std::optional<ChordLabel> ParseChordName(std::string_view text);

/// The chords that a score's markers name, in the order of time. Of several at one tick the last
/// counts; one equal to that before it is no change.
std::vector<ChordChange> ChordsOfMarkers(const Score& score);

/// Leaves of several changes at one time the last, and drops those that change nothing. They are in
/// the order of time.
void MergeChordChanges(std::vector<ChordChange>& changes);

}  // namespace continuo
