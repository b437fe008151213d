#pragma once

#include <cstdint>
#include <span>

#include "continuo/metrics/grid_piece.h"

namespace continuo {

/// A note for PitchClassEntropy.
struct BarPitchClass {
  int64_t bar = 0;
  uint8_t pitch_class = 0;  // 0..11
};

/// A note for GroovingSimilarity.
struct BarPosition {
  int64_t bar = 0;
  int64_t position = 0;
};

/// Mean entropy, in bits, of the pitch classes of every `window` consecutive bars (MusDr's H1 and
/// H4). A shorter piece is one window. Windows without notes are left out; NaN if none is left.
/// `notes` are in the order of bars, all within [0, bars). Source: Wu and Yang, "The Jazz
/// Transformer on the front line", ISMIR 2020.
double PitchClassEntropy(std::span<const BarPitchClass> notes, int64_t bars, int64_t window);

/// Mean over all pairs of bars of 1 - d / positions, where d counts the positions at which a note
/// begins in one bar of the pair and not in the other (MusDr's GS, of all pairs instead of 1,000
/// drawn ones). Empty bars count. NaN below two bars. `notes` are in the order of bar, then
/// position; several at one place count once.
double GroovingSimilarity(std::span<const BarPosition> notes, int64_t bars, int64_t positions);

/// The number of different runs of three consecutive labels over the number of all such runs except
/// the last (MusDr's CPI, which leaves the last one out); 1 for fewer than four labels.
double ChordProgressionIrregularity(std::span<const uint32_t> labels);

}  // namespace continuo
