#include "continuo/token/event_list.h"

#include <algorithm>
#include <numeric>

#include "continuo/token/chords.h"

namespace continuo {

namespace {

using Kind = ScoreEvent::Kind;

// MIDI-Like with chords orders the events of one tick by these; else they keep the order of the
// lists.
constexpr uint32_t kOrders = 5;
uint32_t OrderWithinTick(Kind kind) {
  switch (kind) {
    case Kind::kTimeSig:
    case Kind::kTempo:
      return 0;
    case Kind::kNoteOff:
      return 1;
    case Kind::kPedal:
    case Kind::kPedalOff:
      return 2;
    case Kind::kBend:
      return 3;
    default:
      return 4;
  }
}

// Puts the events in the order of time, stable. Counts where the times are dense, as they are in
// music.
void SortEvents(EventList& list, bool order_within_tick) {
  const std::vector<ScoreEvent>& events = list.events;
  const auto key = [order_within_tick](const ScoreEvent& event) {
    const uint32_t time = static_cast<uint32_t>(event.time);
    return order_within_tick ? uint64_t{time} * kOrders + OrderWithinTick(event.kind) : uint64_t{time};
  };
  uint64_t max_key = 0;
  for (const ScoreEvent& event : events) {
    max_key = std::max(max_key, key(event));
  }
  list.order.resize(events.size());
  if (max_key > events.size() * 16 + 65536) {
    std::iota(list.order.begin(), list.order.end(), 0);
    std::stable_sort(list.order.begin(), list.order.end(),
                     [&](uint32_t a, uint32_t b) { return key(events[a]) < key(events[b]); });
    return;
  }
  std::vector<uint32_t> place(max_key + 2);
  for (const ScoreEvent& event : events) {
    ++place[key(event) + 1];
  }
  for (size_t k = 1; k < place.size(); ++k) {
    place[k] += place[k - 1];
  }
  for (size_t i = 0; i < events.size(); ++i) {
    list.order[place[key(events[i])]++] = static_cast<uint32_t>(i);
  }
}

class Collector {
 public:
  explicit Collector(const TokenTables& tables, const PreparedScore& score) : tables_(tables), score_(score) {}

  void AddGlobals(std::vector<ScoreEvent>& events) const {
    if (tables_.config.use_time_signatures) {
      for (const TimeSignature& meter : score_.time_signatures) {
        const int index = tables_.FindTimeSignature(meter.numerator, meter.denominator);
        if (index < 0) {
          continue;  // 4/4 at the start that the vocabulary lacks; MidiTok fails here
        }
        ScoreEvent event{meter.time, index, Kind::kTimeSig, 0, 0, {}};
        Put(event, tables_.time_signature[static_cast<size_t>(index)]);
        events.push_back(event);
      }
    }
    for (const PreparedTempo& tempo : score_.tempos) {
      ScoreEvent event{tempo.time, 0, Kind::kTempo, 0, 0, {}};
      Put(event, tables_.tempo[tempo.index]);
      events.push_back(event);
    }
    for (const ChordChange& change : score_.chords) {
      ScoreEvent event{change.time, 0, Kind::kHarmony, 0, 0, {}};
      Put(event, tables_.harmony[change.chord.index()]);
      events.push_back(event);
    }
  }

  void AddTrack(const PreparedTrack& track, std::vector<ScoreEvent>& events) const {
    const size_t program = static_cast<size_t>(track.program + 1);
    for (const Pedal& pedal : track.pedals) {
      AddPedal(pedal, track.program, events);
    }
    for (const PreparedBend& bend : track.bends) {
      ScoreEvent event = TrackEvent(bend.time, Kind::kBend, track.program);
      Put(event, tables_.pitch_bend[bend.index]);
      events.push_back(event);
    }
    if (tables_.config.use_chords && track.program != -1) {
      for (const DetectedChord& chord : DetectChords(track.notes, score_.sections, tables_)) {
        ScoreEvent event = TrackEvent(chord.time, Kind::kChord, track.program);
        Put(event, chord.id);
        events.push_back(event);
      }
    }
    AddNotes(track, tables_.uses_durations[program], events);
  }

 private:
  static void Put(ScoreEvent& event, TokenId id) {
    if (id != kNoToken) {
      event.ids[event.count++] = static_cast<uint16_t>(id);
    }
  }

  ScoreEvent TrackEvent(int32_t time, Kind kind, int program) const {
    ScoreEvent event{time, 0, kind, 0, static_cast<int16_t>(program), {}};
    if (tables_.program_tokens()) {
      Put(event, tables_.program[static_cast<size_t>(program + 1)]);
    }
    return event;
  }

  void AddPedal(const Pedal& pedal, int program, std::vector<ScoreEvent>& events) const {
    ScoreEvent event{pedal.time, 0, Kind::kPedal, 0, static_cast<int16_t>(program), {}};
    Put(event, tables_.pedal[static_cast<size_t>(program + 1)]);
    if (tables_.config.sustain_pedal_duration) {
      Put(event, DurationAt(pedal.time, pedal.duration));
      events.push_back(event);
      return;
    }
    events.push_back(event);
    ScoreEvent off{pedal.time + pedal.duration, 0, Kind::kPedalOff, 0, static_cast<int16_t>(program), {}};
    Put(off, tables_.pedal_off[static_cast<size_t>(program + 1)]);
    events.push_back(off);
  }

  void AddNotes(const PreparedTrack& track, bool timed, std::vector<ScoreEvent>& events) const {
    const bool drum_tokens = track.program == -1 && tables_.config.use_pitchdrum_tokens;
    const std::array<TokenId, 128>& on = drum_tokens ? tables_.pitch_drum : tables_.pitch;
    const std::array<TokenId, 128>& off = drum_tokens ? tables_.drum_off : tables_.note_off;
    const ScoreEvent note_model = TrackEvent(0, Kind::kNote, track.program);
    const ScoreEvent off_model = TrackEvent(0, Kind::kNoteOff, track.program);
    const bool note_off = timed && tables_.note_on_off();
    const bool duration = timed && !tables_.note_on_off();
    size_t section = 0;
    const TimeTable* table = &tables_.time_table(score_.sections[0].ticks_per_beat);
    for (const PreparedNote& note : track.notes) {
      ScoreEvent event = note_model;
      event.time = note.time;
      event.end = note.end();
      Put(event, on[note.pitch]);
      Put(event, tables_.velocity[note.velocity]);
      if (duration) {
        while (section + 1 < score_.sections.size() && note.time >= score_.sections[section].end) {
          table = &tables_.time_table(score_.sections[++section].ticks_per_beat);
        }
        Put(event, tables_.duration[table->Nearest(note.duration)]);
      }
      events.push_back(event);
      if (note_off) {
        ScoreEvent end = off_model;
        end.time = note.end();
        Put(end, off[note.pitch]);
        events.push_back(end);
      }
    }
  }

  TokenId DurationAt(int32_t time, int32_t duration) const {
    size_t section = 0;
    while (section + 1 < score_.sections.size() && time >= score_.sections[section].end) {
      ++section;
    }
    return tables_.duration[tables_.time_table(score_.sections[section].ticks_per_beat).Nearest(duration)];
  }

  const TokenTables& tables_;
  const PreparedScore& score_;
};

size_t EventCount(const PreparedTrack& track) {
  return track.notes.size() * 2 + track.pedals.size() * 2 + track.bends.size() + 16;
}

}  // namespace

std::vector<EventList> OrderedEvents(const PreparedScore& score, const TokenTables& tables) {
  const Collector collector(tables, score);
  const bool order_within_tick = tables.note_on_off() && tables.config.use_chords;
  const size_t globals = score.tempos.size() + score.time_signatures.size() + score.chords.size();
  std::vector<EventList> lists;
  if (tables.one_stream() || score.tracks.empty()) {
    lists.resize(1);
    size_t count = globals;
    for (const PreparedTrack& track : score.tracks) {
      count += EventCount(track);
    }
    lists[0].events.reserve(count);
    collector.AddGlobals(lists[0].events);
    for (const PreparedTrack& track : score.tracks) {
      collector.AddTrack(track, lists[0].events);
    }
  } else {
    for (const PreparedTrack& track : score.tracks) {
      lists.emplace_back();
      lists.back().events.reserve(globals + EventCount(track));
      collector.AddGlobals(lists.back().events);
      collector.AddTrack(track, lists.back().events);
    }
  }
  for (EventList& list : lists) {
    // MidiTok leaves two events or fewer of a score without tracks as they are.
    if (tables.one_stream() || !score.tracks.empty() || list.events.size() > 2) {
      SortEvents(list, order_within_tick);
    } else {
      list.order.resize(list.events.size());
      std::iota(list.order.begin(), list.order.end(), 0);
    }
  }
  return lists;
}

}  // namespace continuo
