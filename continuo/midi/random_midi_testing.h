#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "continuo/core/rng.h"
#include "continuo/midi/document_edit.h"
#include "continuo/midi/midi_document.h"

namespace continuo {

// Random but well-formed files of every kind that editing must leave alone.

inline std::vector<uint8_t> RandomBytes(Rng& rng, size_t most) {
  std::vector<uint8_t> bytes(rng.NextBelow(most + 1));
  for (uint8_t& byte : bytes) {
    byte = static_cast<uint8_t>(rng.NextBelow(256));
  }
  return bytes;
}

/// An event other than a note.
inline MidiEvent RandomEvent(Rng& rng, uint8_t channel, uint32_t time, MidiDocument& document) {
  const auto data = [&rng] { return static_cast<uint8_t>(rng.NextBelow(128)); };
  const auto status = [channel](uint8_t kind) { return static_cast<uint8_t>(kind | channel); };
  switch (rng.NextBelow(9)) {
    case 0:
      return NewMessage(time, status(kProgramChange), data());
    case 1:
      return NewMessage(time, status(kPitchBend), data(), data());
    case 2:
      return NewMessage(time, status(kChannelPressure), data());
    case 3:
      return NewMessage(time, status(kPolyphonicPressure), data(), data());
    case 4:
      return NewMessage(time, status(kControlChange), 64, rng.NextBelow(2) == 0 ? 0 : 127);
    case 5: {
      constexpr uint8_t kSome[] = {0, 1, 6, 7, 10, 11, 32, 38, 66, 67, 91, 96, 98, 99, 100, 101, 120, 121, 123};
      return NewMessage(time, status(kControlChange), kSome[rng.NextBelow(std::size(kSome))], data());
    }
    case 6: {
      // Text of any encoding, and types that nobody knows.
      auto type = static_cast<uint8_t>(rng.NextBelow(128));
      if (type == kMetaEndOfTrack || type == kMetaTempo || type == kMetaTimeSignature || type == kMetaKeySignature) {
        type = kMetaLyric;
      }
      return document.NewMeta(time, type, RandomBytes(rng, 20));
    }
    default: {
      MidiEvent event = document.NewMeta(time, 0, RandomBytes(rng, 20));
      event.status = rng.NextBelow(2) == 0 ? kSysEx : kSysExContinued;
      return event;
    }
  }
}

struct RandomMidiOptions {
  size_t tracks = 20;     // at most
  uint32_t bars = 12;     // at most
  bool silencers = true;  // controllers 120 and 123 among the others
};

/// Ticks per quarter note, from the few of hand-made files to the most there can be, or frames of
/// film.
inline uint16_t RandomDivision(Rng& rng) {
  switch (rng.NextBelow(6)) {
    case 0:
    case 1:
      return 480;
    case 2:
      return static_cast<uint16_t>(1 + rng.NextBelow(8));
    case 3:
      return static_cast<uint16_t>(1 + rng.NextBelow(32767));
    case 4:
      return rng.NextBelow(3) == 0 ? uint16_t{0xE728} : uint16_t{96};  // 25 frames a second of 40 ticks
    default:
      return static_cast<uint16_t>(1 + rng.NextBelow(1000));
  }
}

/// A file of 1 to `tracks` tracks on 1 to 16 channels, of any format, with any ticks per quarter
/// note and time signatures. Notes may overlap, ring on, last no time, lack their ends; note-offs
/// may end nothing; tracks may be empty.
inline MidiDocument RandomMidi(Rng& rng, const RandomMidiOptions& options = {}) {
  MidiDocument document;
  const size_t tracks = 1 + rng.NextBelow(options.tracks);
  document.format = tracks == 1 ? static_cast<int>(rng.NextBelow(3)) : rng.NextBelow(8) == 0 ? 2 : 1;
  document.division = RandomDivision(rng);
  document.tracks.resize(tracks);
  const uint64_t channels = 1 + rng.NextBelow(kMidiChannels);
  const uint32_t bar = 4u * static_cast<uint32_t>(document.ticks_per_quarter());
  const uint32_t length = bar * (1 + static_cast<uint32_t>(rng.NextBelow(options.bars)));

  std::vector<MidiInsertion> conductor;
  for (uint32_t time = 0, next = 0; time < length; time = next) {
    next = time + 1 + static_cast<uint32_t>(rng.NextBelow(4 * bar));
    for (uint64_t several = 1 + rng.NextBelow(8) / 7; several > 0; --several) {
      const uint8_t bits = rng.NextBelow(8) == 0 ? 5 : static_cast<uint8_t>(rng.NextBelow(5));
      const uint8_t signature[] = {static_cast<uint8_t>(1 + rng.NextBelow(12)), bits, 24, 8};
      conductor.push_back({0, 0, document.NewMeta(time, kMetaTimeSignature, signature)});
      if (rng.NextBelow(4) > 0) {  // the next one may stand on a bar line of this one
        const double bars = static_cast<double>(1 + rng.NextBelow(3)) * signature[0] / (1 << bits);
        next = std::max(time + 1, static_cast<uint32_t>(std::lround(time + bars * bar)));
      }
      if (rng.NextBelow(4) == 0) {  // again, where it changes nothing
        conductor.push_back({0, 0, document.NewMeta(time + 1, kMetaTimeSignature, signature)});
      }
    }
    const uint8_t tempo[] = {static_cast<uint8_t>(4 + rng.NextBelow(10)), static_cast<uint8_t>(rng.NextBelow(256)), 0};
    conductor.push_back({0, 0, document.NewMeta(time, kMetaTempo, tempo)});
  }
  InsertEvents(document, conductor);

  for (uint32_t track = 0; track < tracks; ++track) {
    const auto home = static_cast<uint8_t>(rng.NextBelow(channels));
    std::vector<MidiEvent> events;
    const uint64_t count = rng.NextBelow(60);
    for (uint64_t i = 0; i < count; ++i) {
      const auto time = static_cast<uint32_t>(rng.NextBelow(length));
      const auto channel = rng.NextBelow(8) == 0 ? static_cast<uint8_t>(rng.NextBelow(channels)) : home;
      if (rng.NextBelow(3) == 0) {
        const MidiEvent event = RandomEvent(rng, channel, time, document);
        if (options.silencers || !SilencesNotes(event)) {
          events.push_back(event);
        }
        continue;
      }
      const auto pitch = static_cast<uint8_t>(48 + rng.NextBelow(24));
      events.push_back(NewMessage(time, static_cast<uint8_t>(kNoteOn | channel), pitch,
                                  static_cast<uint8_t>(1 + rng.NextBelow(127))));
      if (rng.NextBelow(20) > 0) {
        const uint64_t longest = rng.NextBelow(6) == 0 ? 3 * bar : rng.NextBelow(8) == 0 ? 1 : bar / 2 + 1;
        const auto end = time + static_cast<uint32_t>(rng.NextBelow(longest));
        const bool explicit_off = rng.NextBelow(2) == 0;
        events.push_back(NewMessage(end, static_cast<uint8_t>((explicit_off ? kNoteOff : kNoteOn) | channel), pitch,
                                    explicit_off ? static_cast<uint8_t>(rng.NextBelow(128)) : uint8_t{0}));
      }
      if (rng.NextBelow(30) == 0) {
        events.push_back(NewMessage(time + 1, static_cast<uint8_t>(kNoteOff | channel), pitch));
      }
    }
    std::stable_sort(events.begin(), events.end(),
                     [](const MidiEvent& a, const MidiEvent& b) { return a.time < b.time; });
    std::vector<MidiInsertion> insertions;
    for (MidiEvent& event : events) {
      event.running = event.is_channel_message() && rng.NextBelow(2) == 0;
      insertions.push_back({track, FirstAfter(document.tracks[track], event.time), event});
    }
    InsertEvents(document, insertions);
    document.tracks[track].end += static_cast<uint32_t>(rng.NextBelow(3) == 0 ? rng.NextBelow(2 * bar) : 0);
  }
  return document;
}

}  // namespace continuo
