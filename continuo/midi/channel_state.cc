#include "continuo/midi/channel_state.h"

#include <algorithm>
#include <utility>

#include "continuo/midi/document_edit.h"
#include "continuo/midi/note_pairs.h"

namespace continuo {
namespace {

enum Controller : uint8_t {
  kBankMsb = 0,
  kModulation = 1,
  kDataEntryMsb = 6,
  kVolume = 7,
  kExpression = 11,
  kBankLsb = 32,
  kModulationLsb = 33,
  kDataEntryLsb = 38,
  kVolumeLsb = 39,
  kExpressionLsb = 43,
  kSustain = 64,
  kPortamento = 65,
  kSostenuto = 66,
  kSoft = 67,
  kHold2 = 69,
  kFirstParameter = 96,  // data increment and decrement, then the parameters that these and data entry set
  kLastParameter = 101,
  kResetAll = 121,
};

constexpr std::array<uint8_t, 4> kPedals = {kSustain, kSostenuto, kSoft, kHold2};

/// An event of a document by its place.
struct Place {
  uint32_t time;
  uint32_t track;
  uint32_t index;
};

/// The events before `time` that `wanted` accepts, in the order in which they take effect.
template <typename Wanted>
std::vector<Place> EventsBefore(const MidiDocument& document, uint32_t time, const Wanted& wanted) {
  std::vector<Place> places;
  for (uint32_t track = 0; track < document.tracks.size(); ++track) {
    const std::vector<MidiEvent>& events = document.tracks[track].events;
    for (uint32_t i = 0; i < events.size() && events[i].time < time; ++i) {
      if (wanted(events[i])) {
        places.push_back({events[i].time, track, i});
      }
    }
  }
  std::stable_sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.time < b.time; });
  return places;
}

const MidiEvent& At(const MidiDocument& document, const Place& place) {
  return document.tracks[place.track].events[place.index];
}

bool SetsState(const MidiEvent& event) {
  return event.is_channel_message() && !event.is_note_on() && !event.is_note_off();
}

void ResetControllers(ChannelState& state) {
  for (const uint8_t number : {kModulation, kModulationLsb, kExpression, kExpressionLsb}) {
    if (state.controls[number]) {
      state.controls[number] = number == kExpression || number == kExpressionLsb ? 127 : 0;
    }
  }
  for (const uint8_t pedal : {kSustain, kPortamento, kSostenuto, kSoft, kHold2}) {
    if (state.controls[pedal]) {
      state.controls[pedal] = 0;
    }
  }
  for (size_t number = kFirstParameter + 2; number <= kLastParameter; ++number) {
    if (state.controls[number]) {
      state.controls[number] = 127;
    }
  }
  state.bend = kPitchBendCentre;
  state.pressure = 0;
}

void Take(const MidiEvent& event, ChannelState& state) {
  switch (event.kind()) {
    case kControlChange:
      state.controls[event.data1] = event.data2;
      if (event.data1 == kResetAll) {
        ResetControllers(state);
      }
      break;
    case kProgramChange:
      state.program = event.data1;
      state.bank_msb = state.controls[kBankMsb];
      state.bank_lsb = state.controls[kBankLsb];
      break;
    case kPitchBend:
      state.bend = event.data2 << 7 | event.data1;
      break;
    case kChannelPressure:
      state.pressure = event.data1;
      break;
    default:
      break;
  }
}

/// The course of a level: the value in force, where the decrease that led to it began, and the
/// highest value so far.
struct Level {
  std::optional<uint8_t> now;
  uint8_t before_decrease = 0;
  uint8_t highest = 0;

  void Take(uint8_t value) {
    if (!now || value > *now) {
      before_decrease = value;
    }
    now = value;
    highest = std::max(highest, value);
  }
};

constexpr uint8_t kAudible = 48;

/// What an inaudible level is to become, or nothing.
std::optional<uint8_t> Raised(const Level& level, uint8_t usual, bool sounding) {
  if (!level.now) {
    return std::nullopt;
  }
  if (*level.now == 0 && level.highest == 0) {
    return sounding ? std::optional(usual) : std::nullopt;
  }
  uint8_t before = level.before_decrease;
  if (before < kAudible && (level.highest >= kAudible || *level.now == 0)) {
    before = level.highest >= kAudible ? level.highest : usual;
  }
  const bool faded = *level.now < kAudible && 2 * *level.now <= before;
  return faded ? std::optional(before) : std::nullopt;
}

/// Which of the events that set state still matter in the end: those that no later event overrides.
class LastEvents {
 public:
  /// Of the events from the last to the first: whether this one matters.
  bool Take(const MidiEvent& event) {
    if (event.status == kSysEx || event.status == kSysExContinued) {
      return true;
    }
    if (event.status == kMeta) {
      return !std::exchange(meta_[event.data1 & 0x7F], true);
    }
    Channel& channel = channels_[event.channel()];
    switch (event.kind()) {
      case kControlChange:
        return TakeControl(event.data1, channel);
      case kProgramChange:
        if (channel.program) {
          return false;
        }
        channel.program = true;
        channel.bank_msb = channel.bank_lsb = false;  // the bank that the program was chosen from
        return true;
      case kPitchBend:
        return !std::exchange(channel.bend, true);
      case kChannelPressure:
        return !std::exchange(channel.pressure, true);
      default:
        return !std::exchange(channel.key_pressure[event.data1], true);
    }
  }

 private:
  struct Channel {
    std::bitset<128> controls;
    std::array<bool, 128> key_pressure{};
    bool program = false;
    bool bank_msb = false;
    bool bank_lsb = false;
    bool bend = false;
    bool pressure = false;
  };

  static bool TakeControl(uint8_t number, Channel& channel) {
    if (number == kBankMsb || number == kBankLsb) {
      bool& met = number == kBankMsb ? channel.bank_msb : channel.bank_lsb;
      return !std::exchange(met, true);
    }
    const bool parameter = number >= kFirstParameter && number <= kLastParameter;
    if (parameter || number == kDataEntryMsb || number == kDataEntryLsb) {
      return true;  // each builds on those before
    }
    const bool met = channel.controls[number];
    channel.controls[number] = true;
    return !met;
  }

  std::array<Channel, kMidiChannels> channels_;
  std::array<bool, 128> meta_{};
};

bool IsInForce(const MidiEvent& event) {
  return event.is_meta(kMetaTempo) || event.is_meta(kMetaTimeSignature) || event.is_meta(kMetaKeySignature);
}

/// Whether events keep their order where it matters when each stays in its track: those of one
/// channel, and system exclusive events among all. The events at `places` come first, at the same
/// time as what the tracks have at `time`.
bool KeepOrderInTracks(const MidiDocument& document, const std::vector<Place>& places, uint32_t time) {
  std::array<uint32_t, kMidiChannels> latest{};
  const auto in_order = [&latest](const MidiEvent& event, uint32_t track, bool is_latest) {
    for (uint8_t channel = 0; channel < kMidiChannels; ++channel) {
      if (event.status == kMeta || (event.is_channel_message() && event.channel() != channel)) {
        continue;
      }
      if (track < latest[channel]) {
        return false;
      }
      latest[channel] = is_latest ? track : latest[channel];
    }
    return true;
  };
  for (const Place& place : places) {
    if (!in_order(At(document, place), place.track, true)) {
      return false;
    }
  }
  for (uint32_t track = 0; track < document.tracks.size(); ++track) {
    const std::vector<MidiEvent>& events = document.tracks[track].events;
    for (uint32_t i = FirstAt(document.tracks[track], time); i < events.size() && events[i].time == time; ++i) {
      if (!in_order(events[i], track, false)) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace

std::array<ChannelState, kMidiChannels> StateBefore(const MidiDocument& document, uint32_t time) {
  std::array<ChannelState, kMidiChannels> states;
  for (const Place& place : EventsBefore(document, time, SetsState)) {
    const MidiEvent& event = At(document, place);
    Take(event, states[event.channel()]);
  }
  return states;
}

std::vector<RaisedLevel> ResetChannels(MidiDocument& document, uint32_t time,
                                       const std::bitset<kMidiChannels>& sounding) {
  std::array<ChannelState, kMidiChannels> states;
  std::array<std::array<Level, 2>, kMidiChannels> levels;  // volume, expression
  for (const Place& place : EventsBefore(document, time, SetsState)) {
    const MidiEvent& event = At(document, place);
    Take(event, states[event.channel()]);
    for (const uint8_t number : {kVolume, kExpression}) {
      Level& level = levels[event.channel()][number == kVolume ? 0 : 1];
      if (event.is_control(number)) {
        level.Take(event.data2);
      } else if (event.is_control(kResetAll) && number == kExpression && level.now) {
        level.Take(127);
      }
    }
  }
  std::array<std::optional<uint32_t>, kMidiChannels> home;  // the first track of each channel
  for (uint32_t track = 0; track < document.tracks.size(); ++track) {
    for (const MidiEvent& event : document.tracks[track].events) {
      if (event.is_channel_message() && !home[event.channel()]) {
        home[event.channel()] = track;
      }
    }
  }

  std::vector<MidiInsertion> insertions;
  std::vector<RaisedLevel> raised;
  for (uint8_t channel = 0; channel < kMidiChannels; ++channel) {
    if (!home[channel]) {
      continue;
    }
    const ChannelState& state = states[channel];
    const uint32_t track = *home[channel];
    const uint32_t index = FirstAfter(document.tracks[track], time);
    const auto set = [&](uint8_t kind, uint8_t data1, uint8_t data2) {
      insertions.push_back({track, index, NewMessage(time, static_cast<uint8_t>(kind | channel), data1, data2)});
    };
    for (const uint8_t number : {kModulation, kModulationLsb}) {
      if (state.controls[number].value_or(0) > 0) {
        set(kControlChange, number, 0);
      }
    }
    for (const uint8_t pedal : kPedals) {
      if (state.controls[pedal].value_or(0) > 0) {
        set(kControlChange, pedal, 0);
      }
    }
    if (state.bend != kPitchBendCentre) {
      set(kPitchBend, kPitchBendCentre & 0x7F, kPitchBendCentre >> 7);
    }
    if (state.pressure > 0) {
      set(kChannelPressure, 0, 0);
    }
    constexpr uint8_t kUsualVolume = 100;
    constexpr uint8_t kUsualExpression = 127;
    for (const uint8_t number : {kVolume, kExpression}) {
      const Level& level = levels[channel][number == kVolume ? 0 : 1];
      const uint8_t usual = number == kVolume ? kUsualVolume : kUsualExpression;
      if (const std::optional<uint8_t> to = Raised(level, usual, sounding[channel])) {
        set(kControlChange, number, *to);
        raised.push_back({channel, number, *level.now, *to});
      }
    }
  }
  InsertEvents(document, std::move(insertions));
  return raised;
}

MidiDocument ExtractFrom(const MidiDocument& document, uint32_t time) {
  const auto wanted = [](const MidiEvent& event) {
    return SetsState(event) || event.status == kSysEx || event.status == kSysExContinued || IsInForce(event);
  };
  // From the last to the first, those that no later one overrides.
  std::vector<Place> chased;
  {
    const std::vector<Place> places = EventsBefore(document, time, wanted);
    LastEvents last;
    for (size_t i = places.size(); i-- > 0;) {
      if (last.Take(At(document, places[i]))) {
        chased.push_back(places[i]);
      }
    }
    std::reverse(chased.begin(), chased.end());
  }
  const bool in_tracks = KeepOrderInTracks(document, chased, time);

  MidiDocument extract = document;
  std::vector<std::vector<MidiEvent>> heads(document.tracks.size());
  for (uint32_t i = 0; i < document.tracks.size(); ++i) {
    for (const uint8_t type : {kMetaTrackName, kMetaInstrumentName, kMetaProgramName, kMetaDeviceName, kMetaPort}) {
      const std::vector<MidiEvent>& events = document.tracks[i].events;
      for (const MidiEvent& event : events) {
        if (event.time >= time) {
          break;
        }
        if (event.is_meta(type)) {
          heads[i].push_back(event);
          break;
        }
      }
    }
  }
  for (const Place& place : chased) {
    const MidiEvent& event = At(document, place);
    heads[in_tracks && event.status != kMeta ? place.track : 0].push_back(event);
  }

  std::vector<std::vector<uint8_t>> earlier_ends(document.tracks.size());
  for (uint32_t i = 0; i < document.tracks.size(); ++i) {
    earlier_ends[i].assign(document.tracks[i].events.size(), 0);
  }
  for (const MidiNote& note : PairNotes(document)) {
    if (note.begin < time && note.ended_by == MidiNote::End::kNoteOff) {
      earlier_ends[note.track][note.off] = 1;
    }
  }
  for (uint32_t i = 0; i < document.tracks.size(); ++i) {
    const MidiTrack& track = document.tracks[i];
    MidiTrack& part = extract.tracks[i];
    part.events = std::move(heads[i]);
    for (MidiEvent& event : part.events) {
      event.time = 0;
    }
    part.end = 0;
    for (uint32_t j = FirstAt(track, time); j < track.events.size(); ++j) {
      if (earlier_ends[i][j] == 0) {
        part.events.push_back(track.events[j]);
        part.events.back().time -= time;
        part.end = part.events.back().time;
      }
    }
    // The end of a track that lasts longer than its events, unless it does so for the sake of
    // earlier notes.
    const bool longer = track.end > time && (track.events.empty() || track.events.back().time < track.end);
    part.end = longer ? std::max(part.end, track.end - time) : part.end;
  }
  return extract;
}

}  // namespace continuo
