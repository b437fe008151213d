#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "continuo/score/score.h"

namespace continuo {

/// Steps of the grid per quarter note; 32 in a bar of 4/4.
inline constexpr int64_t kStepsPerQuarter = 8;

/// A note on the grid: onset, end and position in steps, onset and end from the start of the score.
struct GridNote {
  int64_t onset = 0;
  int64_t end = 0;       // past `onset`
  int64_t bar = 0;       // the bar that the onset lies in
  int64_t position = 0;  // of the onset, from the start of that bar
  Tick time = 0;         // as in the score
  Tick duration = 0;     // as in the score
  uint32_t track = 0;    // its place in the score
  uint8_t pitch = 0;
  bool is_drum = false;

  uint8_t pitch_class() const { return pitch % 12; }
};

/// Consecutive bars of one length. The next section cuts the last of them short.
struct BarSection {
  int64_t start = 0;
  int64_t bar_steps = 1;  // at least 1
  int64_t first_bar = 0;
};

/// A score on a grid of eight steps per quarter note, from which every metric of bars is computed.
///
/// Times are rounded to the nearest step, halves to the later one. A note is at least one step
/// long. Bars run from tick 0 to the bar in which the last note begins. A time signature begins a
/// bar at its step; one equal to the signature in force changes nothing (most files of Pop1K7
/// repeat 4/4 off the bar line). The first signature is 4/4, the last of several at one step
/// counts, and one with a numerator or denominator below 1 is ignored.
///
/// Empty bars take no memory, so a note after a million bars of silence costs as much as any other.
struct GridPiece {
  int64_t bars = 0;
  int64_t positions = 0;             // steps in the longest of the bars
  int64_t end = 0;                   // where the last bar ends; its full length, unless later bars were left out
  std::vector<GridNote> notes;       // in the order of onset
  std::vector<BarSection> sections;  // rising; the first starts at 0; empty if there are no notes

  /// The index of the section that `step`, from 0 to before `end`, lies in.
  size_t SectionAt(int64_t step) const;
};

/// `first_bars` above 0 keeps the notes that begin in the first bars, and cuts them where the last
/// of these ends. Times in `score` must not be negative.
GridPiece PlaceOnGrid(const Score& score, int64_t first_bars = 0);

}  // namespace continuo
