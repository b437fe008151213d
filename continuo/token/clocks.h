#pragma once

#include <algorithm>
#include <cstdint>

#include "continuo/token/token_tables.h"

namespace continuo {

/// Decoded time stops here, so that no sum overflows: 2^29 ticks, a year and more of music.
inline constexpr int32_t kMaxDecodedTick = 1 << 29;

inline int32_t AddTicks(int32_t time, int64_t ticks) {
  return static_cast<int32_t>(std::clamp<int64_t>(time + ticks, 0, kMaxDecodedTick));
}

/// A meter in the ticks of decoded scores, and the time tables that go with it.
class MeterClock {
 public:
  MeterClock(const TokenTables& tables, const Meter& meter) : tables_(&tables) { Set(meter); }

  void Set(const Meter& meter) {
    meter_ = meter;
    ticks_per_beat_ = tables_->DecodedTicksPerBeat(meter.denominator);
    ticks_per_bar_ = std::max(1, tables_->time_division * 4 / meter.denominator) * meter.numerator;
    ticks_per_position_ = ticks_per_beat_ / tables_->positions_per_beat;
    positions_ = std::min(tables_->positions, ticks_per_bar_ / std::max(1, ticks_per_position_));
    time_table_ = &tables_->time_table(ticks_per_beat_);
    rest_table_ = &tables_->rest_table(ticks_per_beat_);
  }

  const Meter& meter() const { return meter_; }
  int32_t ticks_per_beat() const { return ticks_per_beat_; }
  int32_t ticks_per_bar() const { return ticks_per_bar_; }
  int32_t ticks_per_position() const { return ticks_per_position_; }
  /// Of a bar that have tokens.
  int32_t positions() const { return positions_; }
  const TimeTable& time_table() const { return *time_table_; }
  /// Of a Duration or TimeShift token, by TokenInfo::value.
  int32_t TimeTicks(int32_t index) const { return time_table_->ticks()[static_cast<size_t>(index)]; }
  const TimeTable& rest_table() const { return *rest_table_; }
  int32_t RestTicks(int32_t index) const { return rest_table_->ticks()[static_cast<size_t>(index)]; }

 private:
  const TokenTables* tables_;
  Meter meter_;
  int32_t ticks_per_beat_ = 1;
  int32_t ticks_per_bar_ = 1;
  int32_t ticks_per_position_ = 1;
  int32_t positions_ = 1;
  const TimeTable* time_table_ = nullptr;
  const TimeTable* rest_table_ = nullptr;
};

/// Where a stream of REMI stands, as MidiTok's decoder counts it.
class RemiClock {
 public:
  RemiClock(const TokenTables& tables, const Meter& meter) : meter_(tables, meter) {}

  const MeterClock& meter() const { return meter_; }
  int32_t tick() const { return tick_; }
  /// Ticks since the running meter's first bar line, of which whole bars are left out where bar
  /// lines are a bar apart.
  int32_t since_meter() const {
    const int32_t since = tick_at_bar_ - tick_at_meter_;
    const bool regular = since == (bar_ - bar_at_meter_) * meter_.ticks_per_bar();
    return regular ? 0 : since;
  }
  /// Number of the bar under way, from 0; -1 before the first Bar, Position or Rest.
  int32_t bar() const { return bar_; }
  int32_t tick_at_bar() const { return tick_at_bar_; }

  void OnBar() {
    ++bar_;
    if (bar_ > 0) {
      tick_ = AddTicks(tick_at_bar_, meter_.ticks_per_bar());
    }
    tick_at_bar_ = tick_;
    beats_ = 0;
  }

  /// A Beat of BEAT: the next of the bar.
  void OnBeat() {
    bar_ = std::max(bar_, 0);
    tick_ = AddTicks(tick_at_bar_, static_cast<int64_t>(beats_) * meter_.ticks_per_beat());
    ++beats_;
  }
  /// Beats of the bar that have begun.
  int32_t beats() const { return beats_; }

  void OnPosition(int32_t position) {
    bar_ = std::max(bar_, 0);
    tick_ = AddTicks(tick_at_bar_, static_cast<int64_t>(position) * meter_.ticks_per_position());
  }

  /// A rest begins at `note_end` where that is later than now.
  void OnRest(int32_t index, int32_t note_end) {
    tick_ = AddTicks(std::max(note_end, tick_), meter_.RestTicks(index));
    const int32_t since = tick_ - tick_at_meter_;
    const int32_t length = meter_.ticks_per_bar();
    const int32_t bars = since >= 0 ? since / length : -((-since + length - 1) / length);
    const int32_t bar = bar_at_meter_ + bars;
    if (bar > bar_) {
      bar_ = std::max(bar_, 0);
      tick_at_bar_ = AddTicks(tick_at_bar_, static_cast<int64_t>(bar - bar_) * length);
      bar_ = bar;
    }
  }

  /// True if the meter is another than before.
  bool OnMeter(const Meter& meter) {
    if (meter == meter_.meter()) {
      return false;
    }
    tick_at_meter_ = tick_at_bar_;
    bar_at_meter_ = bar_;
    meter_.Set(meter);
    return true;
  }

 private:
  MeterClock meter_;
  int32_t tick_ = 0;
  int32_t tick_at_meter_ = 0;
  int32_t tick_at_bar_ = 0;
  int32_t bar_ = -1;
  int32_t bar_at_meter_ = 0;
  int32_t beats_ = 0;
};

/// Where a stream of MIDI-Like, TSD, Structured or PerTok stands. Bars are counted in the running
/// meter, from its signature on.
class ShiftClock {
 public:
  explicit ShiftClock(const TokenTables& tables) : meter_(tables, {}) {}

  const MeterClock& meter() const { return meter_; }
  int32_t tick() const { return tick_; }
  /// Number of the bar that now lies in, from 0. A bar line belongs to the bar that begins there.
  int32_t bar() const { return bar_at_meter_ + since_meter() / meter_.ticks_per_bar(); }
  /// Ticks since the bar under way began.
  int32_t ticks_into_bar() const { return since_meter() % meter_.ticks_per_bar(); }

  /// Where a bar from the running signature on begins.
  int32_t TickOfBar(int64_t bar) const {
    return AddTicks(tick_at_meter_, (bar - bar_at_meter_) * meter_.ticks_per_bar());
  }

  void Shift(int64_t ticks) { tick_ = AddTicks(tick_, ticks); }
  void OnTimeShift(int32_t index) { Shift(meter_.TimeTicks(index)); }
  /// A rest begins at `note_end` where that is later than now.
  void OnRest(int32_t index, int32_t note_end) { tick_ = AddTicks(std::max(tick_, note_end), meter_.RestTicks(index)); }

  /// What MidiTok takes for the length of a bar in PerTok: right in quarters.
  int64_t PerTokBarTicks() const {
    return int64_t{meter_.meter().numerator} * meter_.meter().denominator * meter_.ticks_per_beat() / 4;
  }
  /// Where a Bar token of PerTok leads: bars are counted from the start of the piece, as if all
  /// were in the running meter.
  int32_t NextPerTokBar() const { return AddTicks(0, (int64_t{pertok_bar_} + 1) * PerTokBarTicks()); }
  void OnPerTokBar() {
    tick_ = NextPerTokBar();
    tick_at_pertok_bar_ = tick_;
    ++pertok_bar_;
  }
  int32_t tick_at_pertok_bar() const { return tick_at_pertok_bar_; }
  void OnPerTokPosition(int32_t ticks) { tick_ = AddTicks(tick_at_pertok_bar_, ticks); }

  /// A signature within a bar begins a new one.
  void OnMeter(const Meter& meter) {
    bar_at_meter_ = bar() + (ticks_into_bar() > 0 ? 1 : 0);
    tick_at_meter_ = tick_;
    meter_.Set(meter);
  }

 private:
  /// PerTok may go back in time where the meter changes.
  int32_t since_meter() const { return std::max(0, tick_ - tick_at_meter_); }

  MeterClock meter_;
  int32_t tick_ = 0;
  int32_t tick_at_meter_ = 0;
  int32_t bar_at_meter_ = 0;
  int32_t pertok_bar_ = 0;
  int32_t tick_at_pertok_bar_ = 0;
};

}  // namespace continuo
