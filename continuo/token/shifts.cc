#include "continuo/token/shifts.h"

#include <algorithm>

#include "continuo/token/event_writer.h"
#include "continuo/token/miditok_3_0_4.h"
#include "continuo/token/stream_grammar.h"

namespace continuo {

namespace {

/// Puts TimeShift and Rest between the events of one stream.
template <bool kTimed>
[[gnu::noinline]] Encoded<kTimed> Encode(const EventList& list, int32_t ticks_per_quarter, const TokenTables& tables) {
  EventWriter<kTimed> writer(tables, list.order.size());
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
    if (event.kind == ScoreEvent::Kind::kTimeSig) {
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
      case ScoreEvent::Kind::kNote:
        note_end = std::max(note_end, event.end);
        break;
      case ScoreEvent::Kind::kTimeSig:
        // MIDI-Like does not count a time signature among what ends a silence; TSD does.
        note_end = tables.note_on_off() ? note_end : std::max(note_end, event.time);
        break;
      case ScoreEvent::Kind::kNoteOff:
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

class ShiftGrammar : public EnumeratedGrammar<ShiftGrammar, StreamGrammar> {
 public:
  ShiftGrammar(const TokenTables& tables, const GrammarTarget& target)
      : EnumeratedGrammar(tables, target), clock_(tables) {
    Refresh();
  }

  bool AppendKey(int32_t horizon, std::string& key) const override {
    const bool reached = std::all_of(
        tables_.time_tables.begin(), tables_.time_tables.end(),
        [](const TimeTable& table) { return !table.empty() && table.reaches_all() && table.min_ticks() == 1; });
    // Else it depends on the distance to the end which times may be gone to.
    const bool far = (reached || !has_target()) && FarFromEnd(horizon, clock_.bar(), clock_.meter());
    if (!AppendSharedKey(horizon, far, clock_.tick(), clock_.meter(), key)) {
      return false;
    }
    key += meter_given_ ? '1' : '0';
    key += meter_at_tick_ ? '1' : '0';
    // Without a target only a signature asks where in a bar it is.
    if (!far || tables_.config.use_time_signatures) {
      Append(key, clock_.ticks_into_bar());
    }
    return true;
  }

  bool SetTarget(const GrammarTarget& target) override {
    const int64_t bars = static_cast<int64_t>(std::min<size_t>(target.bars, INT32_MAX)) - clock_.bar();
    const int32_t end = clock_.TickOfBar(static_cast<int64_t>(clock_.bar()) + bars);
    const bool open = tables_.config.use_time_signatures && !meter_given_;  // its first signature is yet to come
    const bool can_end = open || time_table_->Reaches(end - clock_.tick());
    if (ended_ || has_target() || half_written() || bars < 1 || !can_end) {
      return false;
    }
    target_bars_ = target.bars;
    Refresh();
    sound_end_ = std::min(sound_end_, end_);
    return true;
  }

  size_t bars() const override {
    if (!started_) {
      return 0;
    }
    const size_t begun = static_cast<size_t>(clock_.bar()) + 1;
    return has_target() ? std::min(begun, target_bars_) : begun;
  }

 private:
  friend EnumeratedGrammar<ShiftGrammar, StreamGrammar>;

  template <typename Sink>
  void Enumerate(Sink& sink) const {
    if (half_written()) {
      EnumerateUnfinished(sink);
      return;
    }
    const TokenizerConfig& config = tables_.config;
    if (config.program_changes && !tables_.one_stream() && !started_) {
      EnumerateStreamPrograms(sink);
    }
    if (config.use_time_signatures && !meter_given_) {
      EnumerateMeters(sink);
      return;
    }
    if (clock_.tick() >= end_) {
      EnumerateClosing(sink);
      return;
    }
    if (config.use_time_signatures && fresh_ && !meter_at_tick_ && clock_.ticks_into_bar() == 0) {
      EnumerateMeters(sink);
    }
    EnumerateEvents(sink);
    EnumerateShifts(sink);
    if (config.use_rests && !AnySounding()) {
      EnumerateRests(sink);
    }
    if (MayEnd(in_last_bar_)) {
      sink.One(eos_);
    }
  }

  // The first meter is any; later ones are others than the running one.
  template <typename Sink>
  void EnumerateMeters(Sink& sink) const {
    const int64_t bars = static_cast<int64_t>(target_bars_) - clock_.bar();
    bool any = false;
    for (size_t i = 0; i < tables_.time_signatures.size(); ++i) {
      if (meter_given_ && tables_.time_signatures[i] == clock_.meter().meter()) {
        continue;
      }
      const MeterClock meter(tables_, tables_.time_signatures[i]);
      const int32_t ticks = AddTicks(0, bars * meter.ticks_per_bar());
      if (!has_target() || (meter.time_table().Reaches(ticks) && AddTicks(clock_.tick(), ticks) >= sound_end_)) {
        sink.One(tables_.time_signature[i]);
        any = true;
      }
    }
    if (!any && !meter_given_) {
      sink.Range(tables_.range(TokenType::kTimeSig));
    }
  }

  // With a target, time may go where the end can be reached from, and to the end itself once the
  // last bar has a note.
  bool MayGoTo(int32_t tick) const {
    return tick == end_ ? onset_in_last_bar_ : tick < end_ && time_table_->Reaches(end_ - tick);
  }

  template <typename Sink>
  void EnumerateShifts(Sink& sink) const {
    const IdRange& all = tables_.range(TokenType::kTimeShift);
    if (!has_target()) {
      sink.Range(all);
      return;
    }
    const std::vector<int32_t>& ticks = time_table_->ticks();
    const int32_t now = clock_.tick();
    if (time_table_->reaches_all() && time_table_->min_ticks() == 1) {
      // Any time before the end will do.
      const int32_t room = end_ - now - (onset_in_last_bar_ ? 0 : 1);
      if (room >= 1) {
        sink.Range({all.first, static_cast<TokenId>(time_table_->Floor(room)) + 1});
      }
      return;
    }
    for (size_t i = 0; i < ticks.size() && ticks[i] <= end_ - now; ++i) {
      if (MayGoTo(now + ticks[i])) {
        sink.One(all.first + static_cast<TokenId>(i));
      }
    }
  }

  template <typename Sink>
  void EnumerateRests(Sink& sink) const {
    for (size_t i = 0; i < tables_.rest.size(); ++i) {
      ShiftClock after = clock_;
      Rest(after, static_cast<int32_t>(i));
      if (!has_target() || MayGoTo(after.tick())) {
        sink.One(tables_.rest[i]);
      }
    }
  }

  void Rest(ShiftClock& clock, int32_t index) const {
    // MIDI-Like ends notes before it rests; TSD rests from their ends.
    clock.OnRest(index, tables_.note_on_off() ? 0 : note_end_);
  }

  void Take(TokenId id, const TokenInfo& info) {
    switch (info.type) {
      case TokenType::kTimeShift:
        clock_.OnTimeShift(info.value);
        Moved();
        break;
      case TokenType::kRest:
        Rest(clock_, info.value);
        Moved();
        break;
      case TokenType::kTimeSig:
        clock_.OnMeter(tables_.time_signatures[static_cast<size_t>(info.value)]);
        meter_given_ = true;
        meter_at_tick_ = true;
        note_end_ = std::max(note_end_, clock_.tick());
        break;
      default:
        if (info.type == TokenType::kProgram && tables_.config.program_changes && !tables_.one_stream()) {
          TakeStreamProgram(info.value);
        } else {
          TakeEvent(id, info, clock_.meter());
          if (!half_written()) {
            note_end_ = std::max(note_end_, clock_.tick());
          }
        }
        break;
    }
  }

  void Moved() {
    meter_at_tick_ = false;
    NewTick(clock_.tick());
  }

  void Refresh() {
    time_table_ = &clock_.meter().time_table();
    if (!has_target()) {
      return;
    }
    const int64_t bars = static_cast<int64_t>(std::min<size_t>(target_bars_, INT32_MAX)) - clock_.bar();
    in_last_bar_ = bars == 1;
    if (bars > 0) {
      end_ = AddTicks(clock_.tick() - clock_.ticks_into_bar(), bars * clock_.meter().ticks_per_bar());
    }
    complete_ = clock_.tick() >= end_ && !half_written() && !AnySounding() && !AnyPedal();
  }

  ShiftClock clock_;
  bool meter_given_ = false;
  bool meter_at_tick_ = false;
};

}  // namespace

void WriteShiftVocabulary(TokenTablesBuilder& builder) {
  builder.AddNotes();
  builder.AddTimeShifts();
  builder.AddAdditional();
}

std::vector<TokenId> EncodeShifts(const EventList& list, int32_t ticks_per_quarter, const TokenTables& tables) {
  return Encode<false>(list, ticks_per_quarter, tables);
}

EncodedStream EncodeTimedShifts(const EventList& list, int32_t ticks_per_quarter, const TokenTables& tables) {
  return Encode<true>(list, ticks_per_quarter, tables);
}

std::unique_ptr<Grammar> NewShiftGrammar(const TokenTables& tables, const GrammarTarget& target) {
  return std::make_unique<ShiftGrammar>(tables, target);
}

}  // namespace continuo
