#include "continuo/token/encode.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "continuo/token/miditok_3_0_4.h"
#include "continuo/token/plan.h"
#include "continuo/token/representation.h"

namespace continuo {

namespace {

using Kind = ScoreEvent::Kind;

int32_t TicksPerBeat(int denominator, int32_t ticks_per_quarter) {
  return std::max(1, static_cast<int32_t>(ticks_per_quarter * 4.0 / denominator));
}

template <bool kTimed>
using Encoded = std::conditional_t<kTimed, EncodedStream, std::vector<TokenId>>;

// Appends to a stream; with program changes, a Program token where the program changes. A timed one
// also notes the time of each token: where MidiTok says that it is, to split streams into words.
template <bool kTimed>
class Writer {
 public:
  Writer(const TokenTables& tables, size_t events)
      : tables_(tables), changes_(tables.one_stream() && tables.config.program_changes) {
    ids_.resize(events * 4 + 64);
  }

  void Put(TokenId id, int32_t time) {
    if (id != kNoToken) {
      MakeRoom();
      ids_[size_++] = id;
      NoteTimes(time);
    }
  }

  void PutEvent(const ScoreEvent& event) {
    MakeRoom();
    // All four places are written, those beyond `count` to be written over.
    for (size_t i = 0; i < event.ids.size(); ++i) {
      ids_[size_ + i] = event.ids[i];
    }
    size_ += event.count;
    NoteTimes(event.time);
  }

  /// The Program token that comes before an event, and before its time tokens' effect on rests.
  /// True if there is one.
  bool PutProgramChange(const ScoreEvent& event) {
    if (!changes_ || event.kind < Kind::kBend || event.program == program_) {
      return false;
    }
    program_ = event.program;
    Put(tables_.program[static_cast<size_t>(event.program + 1)], event.time);
    return true;
  }

  /// Time tokens that lead to `until`, `ticks` long in all, from the longest that fits down; what
  /// is left of `ticks`.
  int32_t PutTime(int32_t until, int32_t ticks, const TimeTable& table, const std::vector<TokenId>& ids) {
    while (ticks >= table.min_ticks() && table.min_ticks() > 0) {
      const size_t index = table.Floor(ticks);
      Put(ids[index], until - ticks);
      ticks -= table.ticks()[index];
    }
    return ticks;
  }

  Encoded<kTimed> Take() {
    ids_.resize(size_);
    if constexpr (kTimed) {
      return {std::move(ids_), std::move(times_)};
    } else {
      return std::move(ids_);
    }
  }

 private:
  void NoteTimes(int32_t time) {
    if constexpr (kTimed) {
      times_.resize(size_, time);
    }
  }

  void MakeRoom() {
    if (size_ + 4 > ids_.size()) [[unlikely]] {
      ids_.resize(ids_.size() * 2);
    }
  }

  const TokenTables& tables_;
  const bool changes_;
  int program_ = -2;          // none yet
  std::vector<TokenId> ids_;  // of which the first size_ are written
  size_t size_ = 0;
  struct None {};
  [[no_unique_address]] std::conditional_t<kTimed, std::vector<int32_t>, None> times_;
};

// Bars and positions of REMI. Times in ticks.
template <bool kTimed>
class RemiEncoder {
 public:
  RemiEncoder(const EventList& list, int32_t ticks_per_quarter, const TokenTables& tables)
      : list_(list),
        ticks_per_quarter_(ticks_per_quarter),
        tables_(tables),
        release_(tables.config.release),
        writer_(tables, list.order.size()) {}

  [[gnu::noinline]] Encoded<kTimed> Run() {
    SetMeter(FirstMeter());
    for (uint32_t place : list_.order) {
      const ScoreEvent& event = list_.events[place];
      if (event.time != previous_tick_) {
        MoveTo(event);
      }
      if (event.kind == Kind::kTimeSig) {
        ChangeMeter(event);
      }
      if (writer_.PutProgramChange(event)) {
        note_end_ = std::max(note_end_, event.time);
      }
      writer_.PutEvent(event);
      if (event.kind == Kind::kNote) {
        note_end_ = std::max(note_end_, event.end);
      } else {
        note_end_ = std::max(note_end_, event.time);
      }
    }
    if (tables_.config.add_trailing_bars && note_end_ > previous_tick_) {
      AddBars(note_end_, !list_.order.empty() && list_.events[list_.order.back()].kind == Kind::kTimeSig);
    }
    return writer_.Take();
  }

 private:
  int FirstMeter() const {
    if (tables_.config.use_time_signatures) {
      for (uint32_t place : list_.order) {
        if (list_.events[place].kind == Kind::kTimeSig) {
          return list_.events[place].end;
        }
      }
    }
    return -1;
  }

  void SetMeter(int index) {
    meter_ = index;
    const Meter meter = index < 0 ? Meter{} : tables_.time_signatures[static_cast<size_t>(index)];
    ticks_per_beat_ = TicksPerBeat(meter.denominator, ticks_per_quarter_);
    ticks_per_bar_ = ticks_per_beat_ * meter.numerator;
    ticks_per_position_ = std::max(1, ticks_per_beat_ / tables_.positions_per_beat);
  }

  void ChangeMeter(const ScoreEvent& event) {
    bar_at_meter_ += (event.time - tick_at_meter_) / ticks_per_bar_;
    tick_at_meter_ = event.time;
    SetMeter(event.end);
    --previous_tick_;  // so that the next event gets its Position even at this tick
  }

  void MoveTo(const ScoreEvent& event) {
    if (tables_.config.use_rests) {
      AddRest(event);
    }
    AddBars(event.time, event.kind == Kind::kTimeSig);
    if (event.kind != Kind::kTimeSig) {
      const int32_t position = (event.time - tick_at_bar_) / ticks_per_position_;
      if (position >= 0 && position < tables_.positions) {
        writer_.Put(tables_.first_position + position, event.time);
      }
    }
    previous_tick_ = event.time;
  }

  void AddRest(const ScoreEvent& event) {
    const TimeTable& table = tables_.rest_table(ticks_per_beat_);
    if (event.time - note_end_ < table.min_ticks()) {
      return;
    }
    previous_tick_ = RestStart(note_end_, previous_tick_, release_);
    previous_tick_ = event.time - writer_.PutTime(event.time, event.time - previous_tick_, table, tables_.rest);
    // The rest may cross bar lines; there the Bar token is left out.
    const int32_t bar = bar_at_meter_ + FloorDivide(previous_tick_ - tick_at_meter_, ticks_per_bar_);
    if (bar > bar_) {
      bar_ = std::max(bar_, 0);
      tick_at_bar_ += (bar - bar_) * ticks_per_bar_;
      bar_ = bar;
    }
  }

  void AddBars(int32_t until, bool before_meter) {
    const int32_t last = bar_at_meter_ + FloorDivide(until - tick_at_meter_, ticks_per_bar_);
    while (bar_ < last) {
      ++bar_;
      tick_at_bar_ = tick_at_meter_ + (bar_ - bar_at_meter_) * ticks_per_bar_;
      if (bar_ > 0) {
        writer_.Put(tables_.bar_end, tick_at_bar_ - 1);
      }
      writer_.Put(tables_.bar, tick_at_bar_);
      // The signature that is written next stands for that of the last bar.
      if (meter_ >= 0 && !(before_meter && bar_ == last)) {
        writer_.Put(tables_.time_signature[static_cast<size_t>(meter_)], tick_at_bar_);
      }
    }
  }

  static int32_t FloorDivide(int32_t a, int32_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

  const EventList& list_;
  const int32_t ticks_per_quarter_;
  const TokenTables& tables_;
  const MidiTokRelease release_;
  Writer<kTimed> writer_;

  int meter_ = -1;
  int32_t ticks_per_beat_ = 1;
  int32_t ticks_per_bar_ = 1;
  int32_t ticks_per_position_ = 1;
  int32_t bar_ = -1;
  int32_t bar_at_meter_ = 0;
  int32_t tick_at_meter_ = 0;
  int32_t tick_at_bar_ = 0;
  int32_t previous_tick_ = -1;
  int32_t note_end_ = 0;
};

// Puts TimeShift and Rest between the events of one stream of MIDI-Like or TSD.
template <bool kTimed>
[[gnu::noinline]] Encoded<kTimed> EncodeShifts(const EventList& list, int32_t ticks_per_quarter,
                                               const TokenTables& tables) {
  Writer<kTimed> writer(tables, list.order.size());
  const TimeTable* shifts = &tables.time_table(ticks_per_quarter);
  const TimeTable* rests = &tables.rest_table(ticks_per_quarter);
  int32_t previous_tick = 0;
  int32_t note_end = 0;
  for (uint32_t place : list.order) {
    const ScoreEvent& event = list.events[place];
    if (event.time != previous_tick) {
      if (tables.config.use_rests && event.time - note_end >= rests->min_ticks()) {
        previous_tick = RestStart(note_end, previous_tick, tables.config.release);
        previous_tick = event.time - writer.PutTime(event.time, event.time - previous_tick, *rests, tables.rest);
      }
      writer.PutTime(event.time, event.time - previous_tick, *shifts, tables.time_shift);
      previous_tick = event.time;
    }
    if (event.kind == Kind::kTimeSig) {
      const int denominator = tables.time_signatures[static_cast<size_t>(event.end)].denominator;
      const int32_t ticks_per_beat = TicksPerBeat(denominator, ticks_per_quarter);
      shifts = &tables.time_table(ticks_per_beat);
      rests = &tables.rest_table(ticks_per_beat);
    }
    if (writer.PutProgramChange(event)) {
      note_end = std::max(note_end, event.time);
    }
    writer.PutEvent(event);
    switch (event.kind) {
      case Kind::kNote:
        note_end = std::max(note_end, event.end);
        break;
      case Kind::kTimeSig:
        // MIDI-Like does not count a time signature among what ends a silence; TSD does.
        note_end = tables.note_on_off() ? note_end : std::max(note_end, event.time);
        break;
      case Kind::kNoteOff:
        // Only the Program token before it counts.
        note_end = tables.program_tokens() ? std::max(note_end, event.time) : note_end;
        break;
      default:
        note_end = std::max(note_end, event.time);
        break;
    }
  }
  return writer.Take();
}

template <bool kTimed>
std::vector<Encoded<kTimed>> EncodeLists(const PreparedScore& prepared, const std::vector<EventList>& lists,
                                         const TokenTables& tables) {
  const bool remi = tables.representation->bar_tokens;
  std::vector<Encoded<kTimed>> streams;
  for (const EventList& list : lists) {
    streams.push_back(remi ? RemiEncoder<kTimed>(list, prepared.ticks_per_quarter, tables).Run()
                           : EncodeShifts<kTimed>(list, prepared.ticks_per_quarter, tables));
  }
  if (tables.config.plan) {
    for (Encoded<kTimed>& stream : streams) {
      if constexpr (kTimed) {
        WritePlans(stream.ids, &stream.times, tables);
      } else {
        WritePlans(stream, nullptr, tables);
      }
    }
  }
  if (tables.config.program_changes && !tables.one_stream()) {
    for (size_t i = 0; i < prepared.tracks.size(); ++i) {
      const TokenId program = tables.program[static_cast<size_t>(prepared.tracks[i].program + 1)];
      if constexpr (kTimed) {
        streams[i].ids.insert(streams[i].ids.begin(), program);
        streams[i].times.insert(streams[i].times.begin(), 0);
      } else {
        streams[i].insert(streams[i].begin(), program);
      }
    }
  }
  return streams;
}

}  // namespace

std::vector<std::vector<TokenId>> EncodeScore(const Score& score, const TokenTables& tables) {
  const PreparedScore prepared = PrepareScore(score, tables);
  return EncodePrepared(prepared, OrderedEvents(prepared, tables), tables);
}

std::vector<std::vector<TokenId>> EncodePrepared(const PreparedScore& prepared, const std::vector<EventList>& lists,
                                                 const TokenTables& tables) {
  return EncodeLists<false>(prepared, lists, tables);
}

std::vector<EncodedStream> EncodeTimed(const PreparedScore& prepared, const TokenTables& tables) {
  return EncodeLists<true>(prepared, OrderedEvents(prepared, tables), tables);
}

}  // namespace continuo
