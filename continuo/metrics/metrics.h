#pragma once

#include <cstdint>
#include <limits>

#include "continuo/metrics/grid_piece.h"
#include "continuo/score/score.h"

namespace continuo {

/// The metrics of a piece's bars. A metric that is undefined for a piece (no notes, a single bar)
/// is NaN.
struct Metrics {
  static constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

  int64_t bars = 0;         // from tick 0 to the bar in which the last note begins
  int64_t notes = 0;        // with drums
  int64_t chords = 0;       // chord changes found
  double h1 = kUndefined;   // entropy of pitch classes within a bar, in bits
  double h4 = kUndefined;   // the same within four consecutive bars
  double gs = kUndefined;   // grooving similarity of all pairs of bars, 0..1
  double cpi = kUndefined;  // chord progression irregularity, 0..1; 1 for fewer than four chords
};

/// H1, H4, GS and CPI, as docs/metrics.md defines them. `first_bars` above 0 measures that many
/// bars from the start. Times in `score` must not be negative. O(n log n) time and O(n) memory in
/// the notes, whatever their times.
Metrics MeasureBars(const Score& score, int64_t first_bars = 0);
/// The same of notes that are on the grid already.
Metrics MeasureBars(const GridPiece& piece);

}  // namespace continuo
