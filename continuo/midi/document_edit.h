#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "continuo/midi/midi_document.h"
#include "continuo/midi/note_pairs.h"

namespace continuo {

// Edits of a MidiDocument whose notes all have their note-offs (see EndOpenNotes). All take time
// linear in the events, times the logarithm of their number at most. Events that an edit does not
// name keep their bytes and their order.

/// An event to be inserted before events[index] of a track.
struct MidiInsertion {
  uint32_t track = 0;
  uint32_t index = 0;
  MidiEvent event;
};

/// Inserts events; those for one place in the order of time, those of one time in the order given.
/// The times must agree with those of the events around them. The end of a track moves with its
/// last event.
void InsertEvents(MidiDocument& document, std::vector<MidiInsertion> insertions);

/// Index of the first event at or after a time, and of the first after it.
uint32_t FirstAt(const MidiTrack& track, uint32_t time);
uint32_t FirstAfter(const MidiTrack& track, uint32_t time);

/// Drops everything from `time` on, except the note-offs of notes that begin before it: these keep
/// their length. A track ends with its last event, but not before `time` if it lasted that long.
void KeepBefore(MidiDocument& document, uint32_t time);

/// Which notes an edit is about.
using NoteFilter = std::function<bool(const MidiNote& note)>;

/// Removes the notes that begin in [begin, end) and that `selected` accepts: note-ons with their
/// note-offs, wherever these are. Returns how many.
size_t RemoveNotes(MidiDocument& document, uint32_t begin, uint32_t end, const NoteFilter& selected);

/// A note to be inserted.
struct NewMidiNote {
  uint32_t track = 0;
  uint32_t begin = 0;  // in ticks
  uint32_t end = 0;    // later than `begin`
  uint8_t channel = 0;
  uint8_t pitch = 0;
  uint8_t velocity = 64;  // 1 to 127
  bool operator==(const NewMidiNote&) const = default;
};

/// How notes had to change so that no pitch sounds twice on a channel.
struct FittedNotes {
  std::vector<NewMidiNote> notes;  // in the order of time
  size_t shortened = 0;
  size_t dropped = 0;
};

/// Fits new notes between the notes of `document`, so that no pitch sounds twice on a channel,
/// whatever the tracks:
/// - a note struck while an earlier new note of its pitch sounds ends that one;
/// - a note that begins while one of the document's of its pitch sounds is dropped, one that would sound into the
///   document's next note of its pitch ends there;
/// - of several notes of a pitch at one time the first in the order given is kept;
/// - a note ends with a controller that silences its channel, and with a note-off of its pitch that ends no other note.
///
/// Then any reader that pairs note-offs first in, first out, per track or per file, reads the notes
/// returned once they are inserted, and those of the document as before.
FittedNotes FitNotes(const MidiDocument& document, std::vector<NewMidiNote> notes);

/// Inserts notes as they are. At one tick note-offs come before all other events of a track and
/// note-ons after them.
void InsertNotes(MidiDocument& document, const std::vector<NewMidiNote>& notes);

}  // namespace continuo
