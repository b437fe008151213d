// REMI: bars and positions in them. A note is [Program] Pitch [Velocity] [Duration]; everything at
// one time follows one Position. REMIChord and REMIPlan are this with the harmony of the score, and
// with a plan of each bar.

#include <algorithm>
#include <memory>

#include "continuo/token/decoder.h"
#include "continuo/token/event_writer.h"
#include "continuo/token/miditok_3_0_4.h"
#include "continuo/token/plan.h"
#include "continuo/token/representation.h"
#include "continuo/token/stream_grammar.h"
#include "continuo/token/token_tables_builder.h"
#include "continuo/token/window.h"

namespace continuo {

namespace {

void WriteVocabulary(TokenTablesBuilder& builder) {
  TokenTables& tables = builder.tables();
  tables.bar = builder.Add("Bar_None", TokenType::kBar, 0);
  if (tables.config.use_bar_end_tokens) {
    tables.bar_end = builder.Add("Bar_End", TokenType::kBarEnd, 0);
  }
  builder.AddNotes();
  builder.AddPositions();
  builder.AddAdditional();
}

/// Bars and positions. Times in ticks.
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
      if (event.kind == ScoreEvent::Kind::kTimeSig) {
        ChangeMeter(event);
      }
      if (writer_.PutProgramChange(event)) {
        note_end_ = std::max(note_end_, event.time);
      }
      writer_.PutEvent(event);
      if (event.kind == ScoreEvent::Kind::kNote) {
        note_end_ = std::max(note_end_, event.end);
      } else {
        note_end_ = std::max(note_end_, event.time);
      }
    }
    if (tables_.config.add_trailing_bars && note_end_ > previous_tick_) {
      AddBars(note_end_, !list_.order.empty() && list_.events[list_.order.back()].kind == ScoreEvent::Kind::kTimeSig);
    }
    return writer_.Take();
  }

 private:
  int FirstMeter() const {
    if (tables_.config.use_time_signatures) {
      for (uint32_t place : list_.order) {
        if (list_.events[place].kind == ScoreEvent::Kind::kTimeSig) {
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
    AddBars(event.time, event.kind == ScoreEvent::Kind::kTimeSig);
    if (event.kind != ScoreEvent::Kind::kTimeSig) {
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
  EventWriter<kTimed> writer_;

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

template <bool kTimed>
Encoded<kTimed> EncodeEvents(const EventList& list, int32_t ticks_per_quarter, const TokenTables& tables) {
  Encoded<kTimed> stream = RemiEncoder<kTimed>(list, ticks_per_quarter, tables).Run();
  if (tables.config.plan) {
    if constexpr (kTimed) {
      WritePlans(stream.ids, &stream.times, tables);
    } else {
      WritePlans(stream, nullptr, tables);
    }
  }
  return stream;
}

class RemiDecoder : public Decoder {
 public:
  using Decoder::Decoder;

 private:
  void DecodeStream() override {
    if (is_first_) {
      const Meter first = FindFirstMeter();
      score_.time_signatures.push_back({0, first.numerator, first.denominator});
    }
    const TimeSignature& last = score_.time_signatures.back();
    RemiClock clock(tables_, {last.numerator, last.denominator});
    int32_t note_end = 0;
    for (size_t i = 0; i < ids_.size(); ++i) {
      const TokenInfo& info = Info(i);
      switch (info.type) {
        case TokenType::kBar:
          clock.OnBar();
          break;
        case TokenType::kPosition:
          clock.OnPosition(info.value);
          break;
        case TokenType::kRest:
          clock.OnRest(info.value, note_end);
          break;
        case TokenType::kPitch:
        case TokenType::kPitchDrum: {
          const int32_t duration = DecodeNote(i, info, clock);
          if (duration >= 0) {
            note_end = std::max(note_end, AddTicks(clock.tick(), duration));
          }
          break;
        }
        case TokenType::kTempo:
          DecodeTempo(info.value, clock.tick());
          note_end = std::max(note_end, clock.tick());
          break;
        case TokenType::kChord:
          DecodeHarmony(info.value, clock.tick());
          note_end = std::max(note_end, clock.tick());
          break;
        case TokenType::kTimeSig:
          DecodeMeter(tables_.time_signatures[static_cast<size_t>(info.value)], clock);
          break;
        case TokenType::kVelocity:  // read with the Pitch before them; the most frequent
        case TokenType::kDuration:
          break;
        default:
          DecodeEvent(i, info, clock);
          break;
      }
    }
  }

  // The meter of the first TimeSig token, if it comes before anything that sounds.
  Meter FindFirstMeter() const {
    for (size_t i = 0; i < ids_.size() && config_.use_time_signatures; ++i) {
      switch (Info(i).type) {
        case TokenType::kTimeSig:
          return tables_.time_signatures[static_cast<size_t>(Info(i).value)];
        case TokenType::kPitch:
        case TokenType::kPitchDrum:
        case TokenType::kVelocity:
        case TokenType::kDuration:
        case TokenType::kPitchBend:
        case TokenType::kPedal:
          return {};
        default:
          break;
      }
    }
    return {};
  }

  void DecodeMeter(const Meter& meter, RemiClock& clock) {
    if (clock.OnMeter(meter) && is_first_) {
      score_.time_signatures.push_back({clock.tick(), meter.numerator, meter.denominator});
    }
  }
};

Score Decode(std::span<const std::vector<TokenId>> streams, const TokenTables& tables) {
  return RemiDecoder(tables).Run(streams);
}

class RemiGrammar : public EnumeratedGrammar<RemiGrammar, StreamGrammar> {
 public:
  RemiGrammar(const TokenTables& tables, const GrammarTarget& target)
      : EnumeratedGrammar(tables, target), clock_(tables, {}) {
    Refresh();
  }

  bool AppendKey(int32_t horizon, std::string& key) const override {
    const bool far = FarFromEnd(horizon, clock_.bar(), clock_.meter());
    if (!AppendSharedKey(horizon, far, clock_.tick(), clock_.meter(), key)) {
      return false;
    }
    key += at_position_ ? '1' : '0';
    key += rested_to_bar_line_ ? '1' : '0';
    Append(key, clock_.tick() - clock_.tick_at_bar());
    Append(key, clock_.bar() < 0 ? -1 : far ? 0 : clock_.bar() + 1);
    if (tables_.config.use_rests) {
      Append(key, clock_.since_meter());
    }
    return true;
  }

  bool SetTarget(const GrammarTarget& target) override {
    if (ended_ || has_target() || (half_written() && expect_ != Expect::kMeter) || bars() > target.bars) {
      return false;
    }
    target_bars_ = target.bars;
    Refresh();
    sound_end_ = std::min(sound_end_, end_);
    return true;
  }

  size_t bars() const override { return static_cast<size_t>(clock_.bar() + 1); }

  TokenId next_bar_token() const override {
    if (expect_ == Expect::kMeter) {
      const Meter& meter = clock_.meter().meter();
      const int index = tables_.FindTimeSignature(meter.numerator, meter.denominator);
      return tables_.time_signature[static_cast<size_t>(std::max(index, 0))];
    }
    return MayFollow(tables_.bar_end) ? tables_.bar_end : MayFollow(tables_.bar) ? tables_.bar : kNoToken;
  }

 private:
  friend EnumeratedGrammar<RemiGrammar, StreamGrammar>;

  /// The first token of the bar's plan that may still come.
  enum class PlanStage : uint8_t { kRepeat, kDensity, kLoudness, kNone };

  template <typename Sink>
  void Enumerate(Sink& sink) const {
    switch (expect_) {
      case Expect::kNothing:
        break;
      case Expect::kEvent:
        EnumerateHere(sink);
        return;
      case Expect::kMeter:
        EnumerateMeters(sink);
        return;
      case Expect::kBar:
        sink.One(tables_.bar);
        return;
      default:
        EnumerateUnfinished(sink);
        return;
    }
    if (clock_.bar() < 0) {
      EnumerateStart(sink);
      return;
    }
    EnumeratePlan(sink);
    if (at_position_) {
      EnumerateHere(sink);
    }
    EnumerateTime(sink);
  }

  /// What may still come of the bar's plan. It repeats only bars that there are.
  template <typename Sink>
  void EnumeratePlan(Sink& sink) const {
    if (plan_ <= PlanStage::kRepeat) {
      const IdRange& lags = tables_.range(TokenType::kRepeat);
      sink.Range({lags.first, std::min(lags.count, clock_.bar() + 1)});
    }
    if (plan_ <= PlanStage::kDensity) {
      sink.Range(tables_.range(TokenType::kDensity));
    }
    if (plan_ <= PlanStage::kLoudness) {
      sink.Range(tables_.range(TokenType::kLoudness));
    }
  }

  template <typename Sink>
  void EnumerateStart(Sink& sink) const {
    const TokenizerConfig& config = tables_.config;
    if (config.program_changes && !tables_.one_stream() && !started_) {
      EnumerateStreamPrograms(sink);
    }
    sink.One(tables_.bar);
    // Something stands at tick 0 else.
    if (config.use_rests && !config.use_tempos && !config.use_time_signatures) {
      EnumerateRests(sink);
    }
  }

  template <typename Sink>
  void EnumerateHere(Sink& sink) const {
    if (AnyPedal() && !may_press_pedal_) {
      EnumerateClosing(sink);  // there is no later position for it
    } else {
      EnumerateEvents(sink);
    }
  }

  template <typename Sink>
  void EnumerateMeters(Sink& sink) const {
    const IdRange& all = tables_.range(TokenType::kTimeSig);
    if (!has_target()) {
      sink.Range(all);
      return;
    }
    // Bars that get shorter must still hold what sounds into them.
    const int32_t bars = static_cast<int32_t>(target_bars_) - clock_.bar();
    for (size_t i = 0; i < tables_.time_signatures.size(); ++i) {
      const MeterClock meter(tables_, tables_.time_signatures[i]);
      const bool running = tables_.time_signatures[i] == clock_.meter().meter();
      if (running || AddTicks(clock_.tick_at_bar(), static_cast<int64_t>(bars) * meter.ticks_per_bar()) >= sound_end_) {
        sink.One(tables_.time_signature[i]);
      }
    }
  }

  template <typename Sink>
  void EnumerateTime(Sink& sink) const {
    const int32_t next = NextPosition();
    const int32_t count = PositionsInBar();
    if (next < count) {
      sink.Range({tables_.first_position + next, count - next});
    }
    if (rested_to_bar_line_ && tables_.config.use_time_signatures) {
      EnumerateMeters(sink);
    }
    const bool may_end = MayEnd(in_last_bar_);
    if (!in_last_bar_ || may_end) {
      sink.One(tables_.config.use_bar_end_tokens ? tables_.bar_end : tables_.bar);
    }
    if (tables_.config.use_rests) {
      EnumerateRests(sink);
    }
    if (may_end) {
      sink.One(eos_);
    }
  }

  template <typename Sink>
  void EnumerateRests(Sink& sink) const {
    if (!has_target()) {
      sink.Range(tables_.range(TokenType::kRest));
      return;
    }
    for (size_t i = 0; i < tables_.rest.size(); ++i) {
      RemiClock after = clock_;
      after.OnRest(static_cast<int32_t>(i), note_end_);
      const int32_t last_position = after.tick_at_bar() + (PositionsInBar() - 1) * StepTicks();
      if (after.bar() < static_cast<int32_t>(target_bars_) && after.tick() <= last_position) {
        sink.One(tables_.rest[i]);
      }
    }
  }

  int32_t StepTicks() const { return clock_.meter().ticks_per_position(); }
  int32_t PositionsInBar() const { return clock_.meter().positions(); }
  int32_t NextPosition() const {
    const int32_t into_bar = clock_.tick() - clock_.tick_at_bar();
    return at_position_ ? into_bar / StepTicks() + 1 : (into_bar + StepTicks() - 1) / StepTicks();
  }

  void Take(TokenId id, const TokenInfo& info) {
    rested_to_bar_line_ = rested_to_bar_line_ && info.type == TokenType::kRest;
    if (info.type != TokenType::kTimeSig) {
      plan_ = PlanStage::kNone;
    }
    switch (info.type) {
      case TokenType::kBarEnd:
        complete_ = in_last_bar_;
        expect_ = Expect::kBar;
        break;
      case TokenType::kBar:
        if (in_last_bar_) {
          complete_ = true;
          return;
        }
        clock_.OnBar();
        at_position_ = false;
        plan_ = PlanStage::kRepeat;
        expect_ = tables_.config.use_time_signatures ? Expect::kMeter : Expect::kNothing;
        break;
      case TokenType::kTimeSig:
        clock_.OnMeter(tables_.time_signatures[static_cast<size_t>(info.value)]);
        expect_ = Expect::kNothing;
        break;
      case TokenType::kRepeat:
        plan_ = PlanStage::kDensity;
        break;
      case TokenType::kDensity:
        plan_ = PlanStage::kLoudness;
        break;
      case TokenType::kLoudness:
        break;
      case TokenType::kPosition:
        clock_.OnPosition(info.value);
        at_position_ = true;
        NewTick(clock_.tick());
        expect_ = Expect::kEvent;
        break;
      case TokenType::kRest:
        clock_.OnRest(info.value, note_end_);
        at_position_ = false;
        rested_to_bar_line_ = clock_.tick() == clock_.tick_at_bar();
        break;
      default:
        if (info.type == TokenType::kProgram && clock_.bar() < 0) {
          TakeStreamProgram(info.value);
        } else {
          TakeEvent(id, info, clock_.meter());
        }
        break;
    }
  }

  void Refresh() {
    time_table_ = &clock_.meter().time_table();
    if (!has_target()) {
      return;
    }
    const int32_t last = static_cast<int32_t>(std::min<size_t>(target_bars_, INT32_MAX)) - 1;
    in_last_bar_ = clock_.bar() == last;
    end_ = AddTicks(clock_.tick_at_bar(),
                    static_cast<int64_t>(last + 1 - std::max(clock_.bar(), 0)) * clock_.meter().ticks_per_bar());
    may_press_pedal_ = !in_last_bar_ || (at_position_ && NextPosition() < PositionsInBar());
  }

  RemiClock clock_;
  bool at_position_ = false;
  bool rested_to_bar_line_ = false;
  PlanStage plan_ = PlanStage::kNone;
};

std::unique_ptr<Grammar> NewGrammar(const TokenTables& tables, const GrammarTarget& target) {
  return std::make_unique<RemiGrammar>(tables, target);
}

}  // namespace

constinit const Representation kRemiRepresentation{
    .name = "REMI",
    .preset = "remi",
    .kind = TokenizationKind::kRemi,
    .bar_tokens = true,
    .trainable = true,
    .write_vocabulary = WriteVocabulary,
    .encode_events = EncodeEvents<false>,
    .encode_timed = EncodeEvents<true>,
    .encode = EncodeScore,
    .decode = Decode,
    .bar_offsets = FindBarOffsets,
    .window = CutWindow,
    .new_grammar = NewGrammar,
};

}  // namespace continuo
