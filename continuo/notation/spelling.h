#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace continuo {

/// A place on the line of fifths: 0 is C, 1 G, 2 D, -1 F, -2 B flat; 7 is C sharp.
using Fifths = int32_t;

/// A note's name. `octave` 4 begins with middle C, by the letter (B sharp 3 sounds as C 4).
struct SpelledPitch {
  char step = 'C';   // A to G
  int8_t alter = 0;  // semitones, -2 to 2
  int8_t octave = 4;
  bool operator==(const SpelledPitch&) const = default;

  /// The MIDI key.
  int key() const;
};

/// The letter at a place on the line of fifths, and its alteration in semitones.
char StepOf(Fifths place);
int AlterOf(Fifths place);
/// The alteration that a key signature (sharps, or minus flats) gives a letter.
int AlterInKey(char step, int key_signature);

/// The place of this pitch class (0 to 11) among the twelve around a tonic: from five fifths below
/// to six above, the harmonic chromatic scale of both modes.
Fifths PlaceNear(Fifths tonic, int pitch_class);

/// The name of a MIDI key at a place on the line of fifths of the same pitch class.
SpelledPitch SpellAt(Fifths place, int key);

/// Names for MIDI keys in the order of time, by stage one of the algorithm ps13 (D. Meredith, The
/// ps13 pitch spelling algorithm, Journal of New Music Research 35(2), 2006): each note takes the
/// name it has in the harmonic chromatic scales of the pitch classes around it (10 notes before, 42
/// after), each weighted by how often it occurs there. Places of tonics are those near `tonic`; of
/// equally good names that nearer to the key counts. Linear in the notes.
std::vector<SpelledPitch> SpellPitches(const std::vector<uint8_t>& keys, Fifths tonic);

}  // namespace continuo
