#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace continuo {

/// Time in ticks from the start of the score; a quarter note has `Score::ticks_per_quarter` of
/// them.
using Tick = int32_t;

struct Note {
  Tick time = 0;
  Tick duration = 0;
  uint8_t pitch = 60;     // MIDI key, 0..127
  uint8_t velocity = 64;  // 1..127 in files; 0 is possible in scores made by hand
  bool operator==(const Note&) const = default;
};

struct Tempo {
  Tick time = 0;
  int32_t us_per_quarter = 500000;
  double qpm() const { return 60e6 / us_per_quarter; }
  bool operator==(const Tempo&) const = default;
};

struct TimeSignature {
  Tick time = 0;
  int32_t numerator = 4;
  int32_t denominator = 4;
  bool operator==(const TimeSignature&) const = default;
};

struct KeySignature {
  Tick time = 0;
  int8_t key = 0;       // sharps (positive) or flats (negative), -7..7
  int8_t tonality = 0;  // 0 major, 1 minor
  bool operator==(const KeySignature&) const = default;
};

struct ControlChange {
  Tick time = 0;
  uint8_t number = 0;
  uint8_t value = 0;
  bool operator==(const ControlChange&) const = default;
};

struct PitchBend {
  Tick time = 0;
  int16_t value = 0;  // -8192..8191
  bool operator==(const PitchBend&) const = default;
};

/// A press of the sustain pedal (controller 64 at 64 or above) until its release.
struct Pedal {
  Tick time = 0;
  Tick duration = 0;
  bool operator==(const Pedal&) const = default;
};

struct TextEvent {
  Tick time = 0;
  std::string text;
  bool operator==(const TextEvent&) const = default;
};

struct Track {
  std::string name;
  uint8_t program = 0;  // 0..127
  bool is_drum = false;
  std::vector<Note> notes;
  std::vector<ControlChange> controls;
  std::vector<PitchBend> pitch_bends;
  std::vector<Pedal> pedals;
  std::vector<TextEvent> lyrics;
  bool operator==(const Track&) const = default;
};

/// Music as notes and what governs them. Lists are in the order of time unless a function says
/// otherwise.
struct Score {
  int32_t ticks_per_quarter = 480;
  std::vector<Track> tracks;
  std::vector<Tempo> tempos;                   // 120 qpm is in force before the first
  std::vector<TimeSignature> time_signatures;  // 4/4 is in force before the first
  std::vector<KeySignature> key_signatures;
  std::vector<TextEvent> markers;
  bool operator==(const Score&) const = default;
};

}  // namespace continuo
