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

inline constexpr std::array<std::string_view, 12> kPitchClassNames = {"C",  "C#", "D",  "D#", "E",  "F",
                                                                      "F#", "G",  "G#", "A",  "A#", "B"};

/// What a chord has above its root: major, minor, dominant, major and minor seventh, diminished,
/// augmented, suspended, half and fully diminished.
struct ChordQuality {
  std::string_view name;            // in Pop1K7's markers
  std::string_view suffix;          // on lead sheets, after the root
  std::array<int8_t, 4> intervals;  // semitones above the root; -1: none

  size_t size() const { return intervals[3] < 0 ? 3 : 4; }
};
inline constexpr std::array<ChordQuality, 11> kChordQualities = {{
    {"M", "", {0, 4, 7, -1}},
    {"m", "m", {0, 3, 7, -1}},
    {"7", "7", {0, 4, 7, 10}},
    {"M7", "maj7", {0, 4, 7, 11}},
    {"m7", "m7", {0, 3, 7, 10}},
    {"o", "dim", {0, 3, 6, -1}},
    {"+", "aug", {0, 4, 8, -1}},
    {"sus2", "sus2", {0, 2, 7, -1}},
    {"sus4", "sus4", {0, 5, 7, -1}},
    {"/o7", "m7b5", {0, 3, 6, 10}},
    {"o7", "dim7", {0, 3, 6, 9}},
}};

/// Every chord has a number: quality * 12 + root, and this for "no chord".
inline constexpr size_t kNoChordIndex = kChordQualities.size() * 12;
inline constexpr size_t kChords = kNoChordIndex + 1;

/// A root and a quality, or "no chord".
struct Chord {
  uint8_t root = 0;     // 0..11, 0 is C; 0 of no chord
  uint8_t quality = 0;  // index into kChordQualities, or its size: no chord
  bool operator==(const Chord&) const = default;

  static Chord FromIndex(size_t index) { return {static_cast<uint8_t>(index % 12), static_cast<uint8_t>(index / 12)}; }
  size_t index() const { return size_t{quality} * 12 + root; }
  bool none() const { return quality == kChordQualities.size(); }
  /// "F#_m7"; "N" for no chord.
  std::string Text() const;
};

/// From `time` to the next change.
struct ChordChange {
  Tick time = 0;
  Chord chord;
  bool operator==(const ChordChange&) const = default;
};

/// Reads ROOT_QUALITY_BASS or ROOT_QUALITY, as Pop1K7's markers are written ("A_M7_E"; "N" and
/// "N_N_N" are no chord). Roots may have a sharp or a flat ("Bb"); what the bass says is passed
/// over. Nothing if the text is no chord.
std::optional<Chord> ParseChordMarker(std::string_view text);

/// Reads a chord as lead sheets write it: a root and a ChordQuality::suffix, or one of the other
/// usual ones: "maj" (major), "min" or "-" (minor), "M7", "min7" or "-7", "o", "+", "sus", "/o7",
/// "o7"; "N" is no chord. Nothing if the text is no chord.
std::optional<Chord> ParseChordName(std::string_view text);

/// The chords that a score's markers name, in the order of time. Of several at one tick the last
/// counts, and one equal to the chord in force is left out.
std::vector<ChordChange> ChordsOfMarkers(const Score& score);

/// Leaves of several changes at one time the last, and drops those that change nothing. They are in
/// the order of time.
void MergeChordChanges(std::vector<ChordChange>& changes);

}  // namespace continuo
