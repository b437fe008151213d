#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "continuo/score/bars.h"
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

/// A score on a grid of eight steps per quarter note, from which every metric of bars is computed.
///
/// Times are rounded to the nearest step, halves to the later one. A note is at least one step
/// long. Bars are those of BarGrid, with their lines rounded like the notes, and run from tick 0 to
/// the bar in which the last note begins.
///
/// Empty bars take no memory, so a note after a million bars of silence costs as much as any other.
struct GridPiece {
  int64_t bars = 0;
  int64_t positions = 0;        // FullSteps of the longest of the bars
  int64_t end = 0;              // where the last bar ends
  std::vector<GridNote> notes;  // in the order of onset
  BarGrid lines{Score()};
  int64_t ticks_per_quarter = 1;

  /// The step at which a bar begins.
  int64_t LineStep(int64_t bar) const;
  /// The bar that a step, from 0 on, lies in; of bars that begin at one step the last.
  int64_t BarAt(int64_t step) const;
  /// The steps of a bar that no time signature cuts short, rounded up.
  int64_t FullSteps(int64_t bar) const;
};

/// `first_bars` above 0 keeps the notes that begin in the first bars, and cuts them where the last
/// of these ends. Times in `score` must not be negative.
GridPiece PlaceOnGrid(const Score& score, int64_t first_bars = 0);

}  // namespace continuo
