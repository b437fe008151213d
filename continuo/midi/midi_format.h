#pragma once

#include <algorithm>
#include <array>
#include <bit>
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

/// The data of a tempo event; what three bytes cannot hold becomes the nearest that they can.
inline std::array<uint8_t, 3> TempoData(int32_t us_per_quarter) {
  const auto us = static_cast<uint32_t>(std::clamp(us_per_quarter, 1, 0xFFFFFF));
  return {static_cast<uint8_t>(us >> 16), static_cast<uint8_t>(us >> 8), static_cast<uint8_t>(us)};
}

/// The data of a time signature event; `numerator` is 1 to 255, `denominator` a power of two.
inline std::array<uint8_t, 4> TimeSignatureData(int32_t numerator, int32_t denominator) {
  constexpr uint8_t kClocks = 24;        // of MIDI, per click of a metronome: one quarter
  constexpr uint8_t kThirtySeconds = 8;  // notes per quarter note
  return {static_cast<uint8_t>(numerator), static_cast<uint8_t>(std::countr_zero(static_cast<uint32_t>(denominator))),
          kClocks, kThirtySeconds};
}

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
