#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
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
  const auto place = [](const Event& event) { return uint64_t{event.time} << 8 | static_cast<uint8_t>(event.rank); };
  const auto before = [&](const Event& a, const Event& b) { return place(a) < place(b); };
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
      writer.Meta(event.time, kMetaTimeSignature, TimeSignatureData(signature.numerator, signature.denominator));
    } else if (event.rank == Rank::kKeySignature) {
      const KeySignature& signature = score.key_signatures[event.index];
      const uint8_t data[] = {static_cast<uint8_t>(signature.key), static_cast<uint8_t>(signature.tonality)};
      writer.Meta(event.time, kMetaKeySignature, data);
    } else if (event.rank == Rank::kTempo) {
      writer.Meta(event.time, kMetaTempo, TempoData(score.tempos[event.index].us_per_quarter));
    } else {
      writer.Text(event.time, kMetaMarker, score.markers[event.index].text);
    }
  }
  writer.EndTrack(events.empty() ? 0 : events.back().time);
}

constexpr size_t kInstrumentChannels = kMidiChannels - 1;

/// Channels of instruments, in the order in which they are given out.
uint8_t InstrumentChannel(size_t number) {
  const size_t channel = number % kInstrumentChannels;
  return static_cast<uint8_t>(channel < kDrumChannel ? channel : channel + 1);
}

/// When the events of a track that depend on its channel begin and end.
struct Span {
  int64_t begin = std::numeric_limits<int64_t>::max();
  int64_t end = 0;
};

Span SpanOf(const Track& track) {
  Span span;
  const auto extend = [&span](const auto& events) {
    for (const auto& event : events) {
      int64_t end = event.time;
      if constexpr (requires { event.duration; }) {
        end += event.duration;
      }
      span.begin = std::min<int64_t>(span.begin, event.time);
      span.end = std::max(span.end, end);
    }
  };
  extend(track.notes);
  extend(track.controls);
  extend(track.pedals);
  extend(track.pitch_bends);
  span.begin = std::min(span.begin, span.end);
  return span;
}

struct Channels {
  std::vector<uint8_t> of_track;
  std::vector<uint32_t> program_time;  // when each track sets its program
  size_t needed = 0;                   // for instruments
};

/// One channel per track of instruments; if there are too few, those that come one after the other
/// share one: in the order of their beginnings, each takes the channel that has been free longest.
Channels AssignChannels(const Score& score) {
  Channels channels;
  std::vector<size_t> instruments;
  for (size_t i = 0; i < score.tracks.size(); ++i) {
    channels.of_track.push_back(kDrumChannel);
    channels.program_time.push_back(0);
    if (!score.tracks[i].is_drum) {
      channels.of_track[i] = InstrumentChannel(instruments.size());
      instruments.push_back(i);
    }
  }
  channels.needed = instruments.size();
  if (instruments.size() <= kInstrumentChannels) {
    return channels;
  }
  std::vector<Span> spans(score.tracks.size());
  for (const size_t i : instruments) {
    spans[i] = SpanOf(score.tracks[i]);
  }
  std::stable_sort(instruments.begin(), instruments.end(),
                   [&](size_t a, size_t b) { return spans[a].begin < spans[b].begin; });
  std::vector<int64_t> free_since;  // by channel
  for (const size_t i : instruments) {
    const auto longest = std::min_element(free_since.begin(), free_since.end());
    const bool shares = longest != free_since.end() && *longest < spans[i].begin;
    size_t number = free_since.size();
    if (shares) {
      number = static_cast<size_t>(longest - free_since.begin());
      free_since[number] = spans[i].end;
      channels.program_time[i] = static_cast<uint32_t>(spans[i].begin);
    } else {
      free_since.push_back(spans[i].end);
    }
    channels.of_track[i] = InstrumentChannel(number);
  }
  channels.needed = free_since.size();
  return channels;
}

void WriteTrack(const Track& track, uint8_t channel, uint32_t program_time, MidiWriter& writer) {
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
  bool program_written = false;
  const auto write_program = [&](uint32_t time) {
    if (!program_written && time >= program_time) {
      writer.Message(program_time, kProgramChange | channel, Data(track.program));
      program_written = true;
    }
  };
  write_program(0);
  for (const Event& event : events) {
    write_program(event.time);
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
  write_program(program_time);
  writer.EndTrack(events.empty() ? 0 : events.back().time);
}

}  // namespace

Status CheckChannels(const Score& score) {
  const size_t needed = AssignChannels(score).needed;
  if (needed > kInstrumentChannels) {
    return Error{fmt::format("{} instruments play at once, but a MIDI file has {} channels for them", needed,
                             kInstrumentChannels),
                 "leave some programs out of the tokenizer's configuration"};
  }
  return {};
}

std::vector<uint8_t> SerializeScore(const Score& score) {
  CONTINUO_CHECK(score.tracks.size() <= kMaxTracks);
  MidiWriter writer(score.ticks_per_quarter);
  WriteConductor(score, writer);
  const Channels channels = AssignChannels(score);
  for (size_t i = 0; i < score.tracks.size(); ++i) {
    WriteTrack(score.tracks[i], channels.of_track[i], channels.program_time[i], writer);
  }
  return std::move(writer).Finish();
}

}  // namespace continuo
