#include "continuo/metrics/grid_piece.h"

#include <algorithm>
#include <limits>

#include "continuo/core/check.h"

namespace continuo {
namespace {

constexpr Tick kLastTick = std::numeric_limits<Tick>::max();

int64_t ToStep(int64_t tick, int64_t ticks_per_quarter) {
  return (2 * kStepsPerQuarter * tick + ticks_per_quarter) / (2 * ticks_per_quarter);
}

// Gives each note its bar and position.
void FindBars(GridPiece& piece) {
  int64_t bar = 0;
  int64_t line = 0;
  int64_t next = piece.LineStep(1);
  for (GridNote& note : piece.notes) {
    if (note.onset >= next) {
      bar = piece.BarAt(note.onset);
      line = piece.LineStep(bar);
      next = piece.LineStep(bar + 1);
    }
    note.bar = bar;
    note.position = note.onset - line;
  }
}

// Leaves the first `bars` bars; the piece has more.
void KeepFirstBars(GridPiece& piece, int64_t bars) {
  while (!piece.notes.empty() && piece.notes.back().bar >= bars) {
    piece.notes.pop_back();
  }
  piece.bars = bars;
  piece.end = piece.LineStep(bars);
  for (GridNote& note : piece.notes) {
    note.end = std::min(note.end, piece.end);
  }
}

}  // namespace

int64_t GridPiece::LineStep(int64_t bar) const {
  // To the nearest step in whole numbers that cannot overflow: the whole ticks first.
  const TickFraction line = lines.ExactLine(static_cast<size_t>(bar));
  const int64_t ticks = line.numerator / line.denominator;
  const int64_t rest = line.numerator % line.denominator;
  return (2 * kStepsPerQuarter * ticks + ticks_per_quarter + 2 * kStepsPerQuarter * rest / line.denominator) /
         (2 * ticks_per_quarter);
}

int64_t GridPiece::BarAt(int64_t step) const {
  // The bar of the last tick that is rounded to `step`, or one beside it, for lines off the ticks
  // are rounded to them.
  const int64_t tick = ticks_per_quarter * (2 * step + 1) / (2 * kStepsPerQuarter);
  auto bar = static_cast<int64_t>(lines.BarAt(static_cast<Tick>(std::min<int64_t>(tick, kLastTick))));
  while (bar > 0 && LineStep(bar) > step) {
    --bar;
  }
  // Lines beyond the last tick are all at that tick.
  while (LineStep(bar + 1) <= step && bar < static_cast<int64_t>(lines.BarAt(kLastTick))) {
    ++bar;
  }
  return bar;
}

int64_t GridPiece::FullSteps(int64_t bar) const {
  const auto up = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  const TimeSignature signature = lines.Signature(static_cast<size_t>(bar));
  return std::max(up(4 * kStepsPerQuarter * signature.numerator, signature.denominator),
                  up(kStepsPerQuarter, ticks_per_quarter));
}

GridPiece PlaceOnGrid(const Score& score, int64_t first_bars) {
  CONTINUO_CHECK(score.ticks_per_quarter > 0);
  GridPiece piece;
  size_t count = 0;
  for (const Track& track : score.tracks) {
    count += track.notes.size();
  }
  if (count == 0) {
    return piece;
  }
  piece.notes.reserve(count);
  for (size_t i = 0; i < score.tracks.size(); ++i) {
    const Track& track = score.tracks[i];
    for (const Note& note : track.notes) {
      const int64_t onset = ToStep(note.time, score.ticks_per_quarter);
      const int64_t end = ToStep(int64_t{note.time} + note.duration, score.ticks_per_quarter);
      piece.notes.push_back({.onset = onset,
                             .end = std::max(onset + 1, end),
                             .time = note.time,
                             .duration = note.duration,
                             .track = static_cast<uint32_t>(i),
                             .pitch = note.pitch,
                             .is_drum = track.is_drum});
    }
  }
  const auto earlier = [](const GridNote& a, const GridNote& b) { return a.onset < b.onset; };
  if (!std::is_sorted(piece.notes.begin(), piece.notes.end(), earlier)) {
    std::stable_sort(piece.notes.begin(), piece.notes.end(), earlier);
  }
  piece.lines = BarGrid(score);
  piece.ticks_per_quarter = score.ticks_per_quarter;
  FindBars(piece);
  piece.bars = piece.notes.back().bar + 1;
  piece.end = piece.LineStep(piece.bars);
  if (first_bars > 0 && first_bars < piece.bars) {
    KeepFirstBars(piece, first_bars);
  }
  for (const size_t bar : piece.lines.SignatureBars()) {
    if (static_cast<int64_t>(bar) < piece.bars) {
      piece.positions = std::max(piece.positions, piece.FullSteps(static_cast<int64_t>(bar)));
    }
  }
  return piece;
}

}  // namespace continuo
