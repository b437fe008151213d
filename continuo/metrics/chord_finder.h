#pragma once

#include <vector>

#include "continuo/metrics/grid_piece.h"
#include "continuo/score/chord.h"

namespace continuo {

/// The harmony of a piece: one chord for every half note of every bar (a bar's last part may be
/// shorter), from how long each pitch class sounds in it; drums and silent windows are ignored,
/// equal consecutive chords are one. The best chord has the largest inside^2 / size, where inside
/// is the time that its pitch classes sound and size how many it has; of equals, the one whose root
/// sounds longest, then the first in the order of quality (M, m, o, +, sus2, sus4, 7, M7, m7, /o7,
/// o7) and root. Linear in the notes, however long they are.
std::vector<Chord> FindChordChanges(const GridPiece& piece);

}  // namespace continuo
