#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/midi/midi_document.h"

namespace continuo {

/// A note of a document: a note-on and what ends it.
struct MidiNote {
  enum class End : uint8_t { kNoteOff, kController, kEndOfTrack };

  uint32_t track = 0;
  uint32_t on = 0;     // index of the note-on in the track's events
  uint32_t off = 0;    // index of the event that ends the note; the number of events where the track's end does
  uint32_t begin = 0;  // in ticks
  uint32_t end = 0;
  End ended_by = End::kEndOfTrack;
  uint8_t channel = 0;
  uint8_t pitch = 0;
  uint8_t velocity = 0;
};

/// The notes of a document, track by track in the order of their note-ons.
///
/// A note-off ends the oldest sounding note of its channel and pitch in its track (first in, first
/// out). A note without a note-off ends with the next channel mode message of its channel and track
/// that silences notes (controllers 120 and 123 to 127), else at the end of its track. Where
/// several notes of one pitch sound at such a controller and note-offs follow, the first of these
/// ends the newest note.
std::vector<MidiNote> PairNotes(const MidiDocument& document);

/// The note-offs that end no note, as indices into the events of each track.
std::vector<std::vector<uint32_t>> OrphanNoteOffs(const MidiDocument& document, const std::vector<MidiNote>& notes);

/// Whether a controller silences the notes of its channel.
bool SilencesNotes(const MidiEvent& event);

/// What EndOpenNotes has done, for a report to the user.
struct EndedNotes {
  size_t by_controller = 0;
  size_t by_end_of_track = 0;
  size_t total() const { return by_controller + by_end_of_track; }
};

/// Writes a note-off for each note that has none, where PairNotes says that it ends (before the
/// controller, at the end of the track). Afterwards each note of PairNotes has its note-off, and
/// begin and end as before.
EndedNotes EndOpenNotes(MidiDocument& document);

/// A document whose notes all have their note-offs.
struct CompleteMidi {
  MidiDocument document;
  std::vector<std::string> repairs;  // one line for each fault, and one for all notes that an event or the track ended
};

/// Reads a document and ends its open notes. `name` stands for the file in messages. Fails as
/// ReadMidiDocument does.
Result<CompleteMidi> ReadCompleteMidi(std::span<const uint8_t> bytes, std::string_view name);

}  // namespace continuo
