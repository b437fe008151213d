#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"

namespace continuo {

/// A beat of a performance.
struct Beat {
  double seconds = 0;     // from the start of the song
  bool downbeat = false;  // the first beat of a bar
  uint32_t line = 0;      // of the file, from 1
  bool operator==(const Beat&) const = default;
};

/// The beats of a song, at least two, at least one of them a downbeat.
struct BeatList {
  std::string name;  // of the file, for messages
  std::vector<Beat> beats;
};

inline constexpr size_t kMostBeats = 60'000;
/// Seconds between two beats: 1,200 beats per minute at most, and no fewer than a MIDI tempo can
/// state (2^24 - 1 microseconds per quarter note).
inline constexpr double kLeastBeat = 0.05;
inline constexpr double kLongestBeat = 16.7;

/// Reads annotated beats, one per line, in the order of time. `name` stands for the file in
/// messages. All lines have the same number of columns, which are separated by a comma, tabs or
/// spaces:
/// - two: the time in seconds, and the number of the beat in its bar, 1 to 255, as beat trackers
///   write them. Number 1 is a downbeat. A first line that begins with a letter is a heading.
/// - three: the time, a half-bar flag and a bar flag, each 0 or 1: POP909's beat_midi.txt (Wang et
///   al., "POP909: A Pop-song Dataset for Music Arrangement Generation", ISMIR 2020). The bar flag
///   marks a downbeat; the half-bar flag is checked and ignored.
///
/// Empty lines and lines that begin with '#' are passed over. Fails, naming the line and the value,
/// on anything else, on a time that is not finite, negative, or less than kLeastBeat or more than
/// kLongestBeat after the one before, on more than kMostBeats, and on lists without a downbeat.
Result<BeatList> ParseBeats(std::string_view text, std::string_view name);

/// The same from a file of at most 16 MiB.
Result<BeatList> ReadBeats(const std::filesystem::path& path);

/// Bars made of beats: the first `pickup` beats are before the first bar line, then bar i has
/// beats[i] beats. The bars cover all beats; the last one may extend beyond them.
struct BeatBars {
  size_t pickup = 0;           // less than beats[0]
  std::vector<uint8_t> beats;  // 1 to kLongestBar each; not empty
  bool operator==(const BeatBars&) const = default;
};
inline constexpr size_t kLongestBar = 12;  // in beats

/// Cuts beats into bars. The usual bar has the most frequent distance of two downbeats (the shorter
/// on a tie; 4 if there is one downbeat). Of all divisions into bars of 1 to kLongestBar beats it
/// takes one of least cost: 1 for each downbeat within a bar or before the first, 1 for each bar
/// line without a downbeat, and 8 for each run of bars of one length that is not the usual one, 16
/// if longer than 6 beats.
///
/// An irregular bar moves every later bar line. Ignoring it costs 2 for each bar, up to where the
/// annotation returns to the old phase. So a bar, or a change of phase, that lasts for fewer than
/// four bars is taken for an error of annotation.
///
/// Takes time and memory linear in the beats: at most 4 MB.
BeatBars CutIntoBars(std::span<const Beat> beats);

}  // namespace continuo
