#pragma once

#include <algorithm>
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

/// A file of 1 to `tracks` tracks on 1 to 16 channels, with any ticks per quarter note and time
/// signatures. Notes may overlap, ring on, lack their ends; note-offs may end nothing.
inline MidiDocument RandomMidi(Rng& rng, const RandomMidiOptions& options = {}) {
  MidiDocument document;
  const size_t tracks = 1 + rng.NextBelow(options.tracks);
  document.format = tracks == 1 ? static_cast<int>(rng.NextBelow(2)) : 1;
  document.division = static_cast<uint16_t>(rng.NextBelow(3) == 0 ? 480 : 1 + rng.NextBelow(1000));
  document.tracks.resize(tracks);
  const uint64_t channels = 1 + rng.NextBelow(kMidiChannels);
  const uint32_t bar = 4u * document.division;
  const uint32_t length = bar * (1 + static_cast<uint32_t>(rng.NextBelow(options.bars)));

  std::vector<MidiInsertion> conductor;
  for (uint32_t time = 0; time < length; time += 1 + static_cast<uint32_t>(rng.NextBelow(4 * bar))) {
    const uint8_t signature[] = {static_cast<uint8_t>(1 + rng.NextBelow(12)), static_cast<uint8_t>(rng.NextBelow(5)),
                                 24, 8};
    conductor.push_back({0, 0, document.NewMeta(time, kMetaTimeSignature, signature)});
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
        const auto end = time + static_cast<uint32_t>(rng.NextBelow(rng.NextBelow(6) == 0 ? 3 * bar : bar / 2 + 1));
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
