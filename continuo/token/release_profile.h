#pragma once

#include "continuo/token/tokenizer_config.h"

namespace continuo {

/// What MidiTok and symusic do, release by release, that shows in the ids and that one would not do
/// on purpose. Every such behaviour is a switch here, or is listed below; the code asks for it by
/// name.
///
/// In both releases, and so without a switch:
/// - A note that ends where another of its pitch begins, and any two that overlap, are paired first in,
///   first out when MIDI-Like tokens are decoded, so that the ends of overlapping notes may change places.
/// - A chord is looked for only among notes that start within one part of a beat of each other, and its
///   lowest note is the first in the list, not the lowest pitch.
/// - Rests are measured from the end of the last note of any pitch, and a REMI rest that crosses a bar
///   line takes the place of that Bar token.
/// - A decoder takes any token with an integer value after a NoteOn for its velocity.
/// - Tempos are cut to whole microseconds when read back from NumPy, but rounded when made from a token.
/// - Positions of time signatures are cut when resampled, those of all else rounded.
struct ReleaseProfile {
  /// 3.0.4 leaves the upper end of pitch_range and drums_pitch_range out, although its documents
  /// say else.
  bool open_pitch_range = false;
  /// 3.0.4 starts a rest at the end of the last note even where time has moved past it already (a
  /// tempo or a pedal in the silence), so that the rest is too long.
  bool rests_from_note_end = false;
  /// 3.0.4 moves events onto the grid of a time signature with sections found by wrong indices, on
  /// a grid counted from tick 0, and rounds durations where 3.1.0 rounds ends.
  bool section_index_bugs = false;

  explicit ReleaseProfile(MidiTokRelease release) {
    const bool old = release == MidiTokRelease::k3_0_4;
    open_pitch_range = old;
    rests_from_note_end = old;
    section_index_bugs = old;
  }
};

}  // namespace continuo
