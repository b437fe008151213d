#pragma once

#include <cstdint>
#include <vector>

#include "continuo/notation/sheet_grid.h"

namespace continuo {

/// Divides a piano part between two hands: for each note true if the right hand (the upper staff)
/// plays it. `notes` are in the order of time, then pitch; notes less than `together` ticks after
/// the first of a chord belong to it.
///
/// Of each chord the lower notes go to the left hand. Dynamic programming finds where to divide:
/// ledger lines, spans above an octave, and movements of a hand cost. Time grows with the notes
/// times the notes of a chord.
std::vector<bool> ChooseHands(const std::vector<Note>& notes, Tick together);

/// Divides the notes of a staff between two voices: for each note true if it belongs to the second,
/// lower one. `notes` are in the order of time, then pitch, no two of one pitch overlapping.
///
/// A voice can hold any notes, as those that end at different times are tied to each other's ends;
/// a beam search finds voices with few ties, few crossings and few rests, and uses the second only
/// where it saves some. `bar_lines` are the starts of the bars.
std::vector<bool> ChooseVoices(const std::vector<StaffNote>& notes, const std::vector<Unit>& bar_lines);

}  // namespace continuo
