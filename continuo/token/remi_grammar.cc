#include <algorithm>

#include "continuo/token/kind_grammars.h"
#include "continuo/token/stream_grammar.h"

namespace continuo {

namespace {

class RemiGrammar : public StreamGrammar {
 public:
  RemiGrammar(const TokenTables& tables, const GrammarTarget& target)
      : StreamGrammar(tables, target), clock_(tables, {}) {
    Refresh();
  }

  std::unique_ptr<Grammar> Clone() const override { return std::make_unique<RemiGrammar>(*this); }
  void CopyFrom(const Grammar& other) override { *this = static_cast<const RemiGrammar&>(other); }

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

  void Allowed(std::span<uint8_t> allowed) const override {
    MaskSink sink(allowed);
    Enumerate(sink);
  }

  bool Advance(TokenId id) override {
    if (id == bos_ && id != kNoToken && !started_) {
      return true;
    }
    QuerySink sink(id);
    Enumerate(sink);
    if (!sink.found()) {
      return false;
    }
    Take(id, tables_.infos[static_cast<size_t>(id)]);
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
    QuerySink bar_end(tables_.bar_end);
    Enumerate(bar_end);
    if (bar_end.found()) {
      return tables_.bar_end;
    }
    QuerySink bar(tables_.bar);
    Enumerate(bar);
    return bar.found() ? tables_.bar : kNoToken;
  }

 private:
  /// The first token of the bar's plan that may still come.
  enum class PlanStage : uint8_t { kRepeat, kDensity, kLoudness, kNone };

  template <typename Sink>
  void Enumerate(Sink& sink) const {
    if (ended_ || complete_) {
      sink.One(eos_);
      return;
    }
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
  int32_t PositionsInBar() const { return std::min(tables_.positions, clock_.meter().ticks_per_bar() / StepTicks()); }
  int32_t NextPosition() const {
    const int32_t into_bar = clock_.tick() - clock_.tick_at_bar();
    return at_position_ ? into_bar / StepTicks() + 1 : (into_bar + StepTicks() - 1) / StepTicks();
  }

  void Take(TokenId id, const TokenInfo& info) {
    if (id == eos_) {
      ended_ = true;
      complete_ = has_target();
      return;
    }
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
    started_ = true;
    Refresh();
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

}  // namespace

std::unique_ptr<Grammar> NewRemiGrammar(const TokenTables& tables, const GrammarTarget& target) {
  return std::make_unique<RemiGrammar>(tables, target);
}

}  // namespace continuo
