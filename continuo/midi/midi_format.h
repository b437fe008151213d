#pragma once

#include <cstdint>

namespace continuo {

// Numbers of the Standard MIDI Files 1.0 specification (MIDI Manufacturers Association, RP-001) and
// of MIDI 1.0.

/// The high half of a channel message's first byte; the low half is the channel.
enum MidiStatus : uint8_t {
  kNoteOff = 0x80,
  kNoteOn = 0x90,
  kPolyphonicPressure = 0xA0,
  kControlChange = 0xB0,
  kProgramChange = 0xC0,
  kChannelPressure = 0xD0,
  kPitchBend = 0xE0,
  kSystem = 0xF0,
};

/// First bytes that are not of a channel message.
enum MidiSystemStatus : uint8_t {
  kSysEx = 0xF0,
  kTimeCode = 0xF1,
  kSongPosition = 0xF2,
  kSongSelect = 0xF3,
  kSysExContinued = 0xF7,
  kFirstRealTime = 0xF8,
  kMeta = 0xFF,
};

enum MidiMeta : uint8_t {
  kMetaText = 0x01,
  kMetaTrackName = 0x03,
  kMetaInstrumentName = 0x04,
  kMetaLyric = 0x05,
  kMetaMarker = 0x06,
  kMetaProgramName = 0x08,
  kMetaDeviceName = 0x09,
  kMetaPort = 0x21,
  kMetaEndOfTrack = 0x2F,
  kMetaTempo = 0x51,
  kMetaTimeSignature = 0x58,
  kMetaKeySignature = 0x59,
};

inline constexpr int kMidiChannels = 16;
inline constexpr int kMidiPitches = 128;
inline constexpr int kMidiPrograms = 128;
inline constexpr int kDrumChannel = 9;
inline constexpr int kSustainPedal = 64;  // the controller
inline constexpr int kPedalDown = 64;     // its least value that is down
inline constexpr int kPitchBendCentre = 8192;

/// The last time that a reader gives, in ticks: the largest int32.
inline constexpr uint32_t kLastTick = 0x7FFFFFFF;

/// The largest number that a variable-length quantity of four bytes holds.
inline constexpr uint32_t kLargestDelta = 0x0FFFFFFF;

}  // namespace continuo
