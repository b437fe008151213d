#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/midi/defects.h"
#include "continuo/midi/midi_format.h"

namespace continuo {

/// One event of a track.
struct MidiEvent {
  uint32_t time = 0;     // in ticks from the start of the track
  uint8_t status = 0;    // 0x80 to 0xEF: a channel message; kSysEx, kSysExContinued or kMeta
  uint8_t data1 = 0;     // of a channel message, below 128; of a meta event its type
  uint8_t data2 = 0;     // 0 where the message has one data byte
  bool running = false;  // written without its status byte, where the events before it allow that

  // The bytes of a meta or system exclusive event in MidiDocument::payload; for others both are 0.
  uint32_t offset = 0;
  uint32_t size = 0;

  bool is_channel_message() const { return status < kSystem; }
  uint8_t kind() const { return is_channel_message() ? status & 0xF0 : status; }
  uint8_t channel() const { return status & 0x0F; }  // of a channel message
  bool is_note_on() const { return kind() == kNoteOn && data2 > 0; }
  bool is_note_off() const { return kind() == kNoteOff || (kind() == kNoteOn && data2 == 0); }
  bool is_control(uint8_t number) const { return kind() == kControlChange && data1 == number; }
  bool is_meta(uint8_t type) const { return status == kMeta && data1 == type; }
};

/// The events of a track in the order of the file, so that `time` never decreases; without the
/// end-of-track event.
struct MidiTrack {
  std::vector<MidiEvent> events;
  uint32_t end = 0;  // time of the end-of-track event, at least that of the last event
};

/// A chunk of the file that is not a track.
struct MidiForeignChunk {
  std::vector<uint8_t> bytes;  // with its name and length
  size_t before = 0;           // the index of the track that follows it
};

/// A Standard MIDI File with every event and its bytes, for editing.
///
/// Preserved exactly: format, time base (ticks per quarter note or SMPTE), number and order of
/// tracks; order, times and bytes of all channel messages (release velocity, pressure,
/// controllers), meta events of any type and system exclusive events (F0 and F7 packets apart); the
/// time of each end of track; chunks of other kinds; bytes of the header beyond the first six; and
/// what is around the MIDI data in a RIFF wrapper (.rmi).
///
/// Not preserved: what the reader had to repair or drop, which `Defects` lists with byte offsets;
/// numbers written in more bytes than they need; running status that continues across a meta or
/// system exclusive event (the status byte is written out); the data of an end-of-track event. A
/// file without these is written back byte for byte.
///
/// A value: copies are independent. Not thread-safe while it changes.
struct MidiDocument {
  int format = 1;           // 0, 1 or 2
  uint16_t division = 480;  // as in the file's header; see ticks_per_quarter
  std::vector<MidiTrack> tracks;
  std::vector<uint8_t> payload;  // the bytes that events refer to; at most kLargestDocument

  std::vector<MidiForeignChunk> foreign;  // in the order of the file
  std::vector<uint8_t> header_rest;
  bool in_riff = false;
  std::vector<uint8_t> riff_before;  // from "RMID" to the "data" chunk
  std::vector<uint8_t> riff_after;   // from the "data" chunk to the end of the file

  /// Ticks per quarter note, 1 to 32767; for SMPTE time that of MidiChunks.
  int32_t ticks_per_quarter() const;
  /// Whether the time base is frames of film, so that tempo events mean nothing.
  bool is_smpte() const { return (division & 0x8000) != 0; }

  std::span<const uint8_t> Payload(const MidiEvent& event) const {
    return std::span(payload).subspan(event.offset, event.size);
  }
  /// A meta event with these bytes, for a track of this document. `data` has at most kLargestDelta
  /// bytes.
  MidiEvent NewMeta(uint32_t time, uint8_t type, std::span<const uint8_t> data);

  /// The latest end of a track, 0 without tracks.
  uint32_t end() const;
};

/// Larger files are read (ParseScore) but not edited, so that offsets fit 32 bits.
inline constexpr uint64_t kLargestDocument = uint64_t{1} << 30;

/// A channel message of one or two data bytes; `status` has the channel in its low half.
MidiEvent NewMessage(uint32_t time, uint8_t status, uint8_t data1, uint8_t data2 = 0);

/// Reads a Standard MIDI File, bare or in a RIFF wrapper. Fails as FindMidiChunks does, and on a
/// file of more than kLargestDocument bytes; faults within tracks are repaired as TrackReader says
/// and added to `defects`.
///
/// Takes time linear in the size of the file and at most 16 bytes per event, beside the events' own
/// bytes.
Result<MidiDocument> ReadMidiDocument(std::span<const uint8_t> bytes, Defects& defects);

/// The document as a file. Reading it gives the document again, without defects, except that a gap
/// between events that no delta time can hold (over kLargestDelta ticks) is bridged by empty text
/// events.
std::vector<uint8_t> SerializeMidiDocument(const MidiDocument& document);

/// Whether two events are equal, payload included.
bool SameEvent(const MidiDocument& a, const MidiEvent& in_a, const MidiDocument& b, const MidiEvent& in_b);

/// Whether both have the same events at the same times in the same tracks, and the same header. How
/// payloads are stored and running status are not compared.
bool SameMusic(const MidiDocument& a, const MidiDocument& b);

/// "480 90 3c 40", "0 ff 51 [07 a1 20]": time and bytes, for messages and tests.
std::string Describe(const MidiDocument& document, const MidiEvent& event);

}  // namespace continuo
