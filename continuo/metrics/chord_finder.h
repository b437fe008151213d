#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "continuo/metrics/grid_piece.h"

namespace continuo {

/// A triad or seventh chord: root 0..11 (0 is C) and an index into the qualities.
struct Chord {
  uint8_t root = 0;
  uint8_t quality = 0;
  bool operator==(const Chord&) const = default;
  /// "C:maj", "F#:m7b5".
  std::string Name() const;
  /// A number that is unique to the chord.
  uint32_t Label() const { return quality * 12U + root; }
};

/// The harmony of a piece: one chord for every half note of every bar (a bar's last part may be
/// shorter), from how long each pitch class sounds in it; drums and silent windows are ignored,
/// equal consecutive chords are one. The best chord has the largest inside^2 / size, where inside
/// is the time that its pitch classes sound and size how many it has; of equals, the one whose root
/// sounds longest, then the first in the order of quality (maj, min, dim, aug, sus2, sus4, 7, maj7,
/// min7, m7b5, dim7) and root. Linear in the notes, however long they are.
std::vector<Chord> FindChordChanges(const GridPiece& piece);

}  // namespace continuo
