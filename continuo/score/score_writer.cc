#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "continuo/core/check.h"
#include "continuo/midi/midi_format.h"
#include "continuo/midi/midi_writer.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

// What goes first where several events have one time. Ends come before beginnings, so that a note
// that follows another of its pitch at once is not ended by the other's end.
enum class Rank : uint8_t {
  kTimeSignature,
  kKeySignature,
  kTempo,
  kMarker,
  kLyric,
  kNoteEnd,
  kControl,
  kPedal,
  kBend,
  kNoteBegin,
};

struct Event {
  uint32_t time;
  Rank rank;
  uint32_t index;  // into its list
};

uint32_t At(Tick time) {
  CONTINUO_CHECK(time >= 0);
  return static_cast<uint32_t>(time);
}

/// When something that lasts ends, no later than the last time there is.
uint32_t EndOf(Tick time, Tick duration) {
  CONTINUO_CHECK(duration >= 0);
  return std::min(At(time) + static_cast<uint32_t>(duration), kLastTick);
}

template <typename List>
void Collect(std::vector<Event>& events, const List& list, Rank rank) {
  for (size_t i = 0; i < list.size(); ++i) {
    events.push_back({At(list[i].time), rank, static_cast<uint32_t>(i)});
  }
}

/// By time, then rank, then the order they were collected in.
void Sort(std::vector<Event>& events) {
  const auto before = [](const Event& a, const Event& b) {
    return a.time != b.time ? a.time < b.time : a.rank < b.rank;
  };
  if (!std::is_sorted(events.begin(), events.end(), before)) {
    std::stable_sort(events.begin(), events.end(), before);
  }
}

uint8_t Data(int value) {
  CONTINUO_CHECK(value >= 0 && value < 128);
  return static_cast<uint8_t>(value);
}

void WriteConductor(const Score& score, MidiWriter& writer) {
  std::vector<Event> events;
  Collect(events, score.time_signatures, Rank::kTimeSignature);
  Collect(events, score.key_signatures, Rank::kKeySignature);
  Collect(events, score.tempos, Rank::kTempo);
  Collect(events, score.markers, Rank::kMarker);
  Sort(events);

  writer.BeginTrack();
  for (const Event& event : events) {
    if (event.rank == Rank::kTimeSignature) {
      const TimeSignature& signature = score.time_signatures[event.index];
      CONTINUO_CHECK(signature.numerator > 0 && signature.numerator < 256 && signature.denominator > 0 &&
                     std::has_single_bit(static_cast<uint32_t>(signature.denominator)));
      const auto bits = static_cast<uint8_t>(std::countr_zero(static_cast<uint32_t>(signature.denominator)));
      // The last two: 24 clocks per click of the metronome, 8 thirty-second notes per quarter note.
      const uint8_t data[] = {static_cast<uint8_t>(signature.numerator), bits, 24, 8};
      writer.Meta(event.time, kMetaTimeSignature, data);
    } else if (event.rank == Rank::kKeySignature) {
      const KeySignature& signature = score.key_signatures[event.index];
      const uint8_t data[] = {static_cast<uint8_t>(signature.key), static_cast<uint8_t>(signature.tonality)};
      writer.Meta(event.time, kMetaKeySignature, data);
    } else if (event.rank == Rank::kTempo) {
      const auto tempo = static_cast<uint32_t>(std::clamp(score.tempos[event.index].us_per_quarter, 1, 0xFFFFFF));
      const uint8_t data[] = {static_cast<uint8_t>(tempo >> 16), static_cast<uint8_t>(tempo >> 8),
                              static_cast<uint8_t>(tempo)};
      writer.Meta(event.time, kMetaTempo, data);
    } else {
      writer.Text(event.time, kMetaMarker, score.markers[event.index].text);
    }
  }
  writer.EndTrack(events.empty() ? 0 : events.back().time);
}

void WriteTrack(const Track& track, uint8_t channel, MidiWriter& writer) {
  // Pedals are a reading of the controllers; they are written where these do not tell of them.
  const bool own_pedals = std::none_of(track.controls.begin(), track.controls.end(),
                                       [](const ControlChange& control) { return control.number == kSustainPedal; });
  std::vector<Event> events;
  events.reserve(track.lyrics.size() + 2 * track.notes.size() + track.controls.size() + track.pitch_bends.size() +
                 2 * track.pedals.size());
  Collect(events, track.lyrics, Rank::kLyric);
  Collect(events, track.controls, Rank::kControl);
  if (own_pedals) {
    for (size_t i = 0; i < track.pedals.size(); ++i) {
      const auto index = static_cast<uint32_t>(2 * i);
      events.push_back({At(track.pedals[i].time), Rank::kPedal, index});
      events.push_back({EndOf(track.pedals[i].time, track.pedals[i].duration), Rank::kPedal, index + 1});
    }
  }
  Collect(events, track.pitch_bends, Rank::kBend);
  for (size_t i = 0; i < track.notes.size(); ++i) {
    const Note& note = track.notes[i];
    const auto index = static_cast<uint32_t>(i);
    events.push_back({At(note.time), Rank::kNoteBegin, index});
    if (EndOf(note.time, note.duration) > At(note.time)) {
      events.push_back({EndOf(note.time, note.duration), Rank::kNoteEnd, index});
    }
  }
  Sort(events);

  writer.BeginTrack();
  if (!track.name.empty()) {
    writer.Text(0, kMetaTrackName, track.name);
  }
  writer.Message(0, kProgramChange | channel, Data(track.program));
  for (const Event& event : events) {
    switch (event.rank) {
      case Rank::kNoteEnd:
        writer.Message(event.time, kNoteOff | channel, Data(track.notes[event.index].pitch), 0);
        break;
      case Rank::kControl: {
        const ControlChange& control = track.controls[event.index];
        writer.Message(event.time, kControlChange | channel, Data(control.number), Data(control.value));
        break;
      }
      case Rank::kPedal:
        writer.Message(event.time, kControlChange | channel, kSustainPedal, event.index % 2 == 0 ? 127 : 0);
        break;
      case Rank::kBend: {
        const int value = track.pitch_bends[event.index].value + kPitchBendCentre;
        writer.Message(event.time, kPitchBend | channel, Data(value & 0x7F), Data(value >> 7));
        break;
      }
      case Rank::kNoteBegin: {
        const Note& note = track.notes[event.index];
        // Velocity 0 would end a note.
        writer.Message(event.time, kNoteOn | channel, Data(note.pitch), std::max<uint8_t>(Data(note.velocity), 1));
        if (EndOf(note.time, note.duration) == event.time) {
          writer.Message(event.time, kNoteOff | channel, note.pitch, 0);
        }
        break;
      }
      default:
        writer.Text(event.time, kMetaLyric, track.lyrics[event.index].text);
        break;
    }
  }
  writer.EndTrack(events.empty() ? 0 : events.back().time);
}

}  // namespace

std::vector<uint8_t> SerializeScore(const Score& score) {
  CONTINUO_CHECK(score.tracks.size() <= kMaxTracks);
  MidiWriter writer(score.ticks_per_quarter);
  WriteConductor(score, writer);
  uint8_t next = 0;
  for (const Track& track : score.tracks) {
    uint8_t channel = kDrumChannel;
    if (!track.is_drum) {
      channel = next;
      next = static_cast<uint8_t>((next + (next + 1 == kDrumChannel ? 2 : 1)) % kMidiChannels);
    }
    WriteTrack(track, channel, writer);
  }
  return std::move(writer).Finish();
}

}  // namespace continuo
