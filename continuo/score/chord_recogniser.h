#pragma once

#include <cstdint>
#include <vector>

#include "continuo/score/chord.h"
#include "continuo/score/score.h"

namespace continuo {

/// What the recogniser sees of a note. Both times are in [0, 2^31).
struct TimedPitch {
  Tick time = 0;
  Tick end = 0;
  uint8_t pitch = 0;
};

/// The harmony of pitched notes: the chord in force from the beat on which the first note sounds,
/// and its changes, all on beats of `ticks_per_beat` (> 0) ticks counted from tick 0. Nothing if no
/// note has a length.
///
/// Each beat is held against a template for every chord: how long each pitch class sounds in it,
/// and how long each is the lowest. Dynamic programming over the beats finds the chords that fit
/// best when each change has a cost. Whole numbers throughout: the same notes give the same chords
/// on every machine, in any order of the notes. Time grows with the notes (n log n), not with how
/// long they sound.
std::vector<ChordChange> RecogniseChords(const std::vector<TimedPitch>& notes, int32_t ticks_per_beat);

/// That of all tracks but drums, a beat being a quarter note.
std::vector<ChordChange> RecogniseChords(const Score& score);

}  // namespace continuo
