#include "continuo/metrics/metrics.h"

#include <vector>

#include "continuo/metrics/bar_metrics.h"
#include "continuo/metrics/chord_finder.h"

namespace continuo {

Metrics MeasureBars(const Score& score, int64_t first_bars) {
  return MeasureBars(PlaceOnGrid(score, first_bars));
}

Metrics MeasureBars(const GridPiece& piece) {
  std::vector<BarPitchClass> pitch_classes;
  std::vector<BarPosition> positions;
  pitch_classes.reserve(piece.notes.size());
  positions.reserve(piece.notes.size());
  for (const GridNote& note : piece.notes) {
    positions.push_back({note.bar, note.position});
    if (!note.is_drum) {
      pitch_classes.push_back({note.bar, note.pitch_class()});
    }
  }
  std::vector<uint32_t> labels;
  for (const Chord& chord : FindChordChanges(piece)) {
    labels.push_back(static_cast<uint32_t>(chord.index()));
  }

  Metrics metrics;
  metrics.bars = piece.bars;
  metrics.notes = static_cast<int64_t>(piece.notes.size());
  metrics.chords = static_cast<int64_t>(labels.size());
  metrics.h1 = PitchClassEntropy(pitch_classes, piece.bars, 1);
  metrics.h4 = PitchClassEntropy(pitch_classes, piece.bars, 4);
  metrics.gs = GroovingSimilarity(positions, piece.bars, piece.positions);
  metrics.cpi = ChordProgressionIrregularity(labels);
  return metrics;
}

}  // namespace continuo
