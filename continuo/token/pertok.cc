// PerTok: a note is [Program] Pitch MicroTiming [Velocity] [Duration], at the time that Bar tokens
// and TimeShift (or Position in the bar) lead to. MicroTiming, in ticks of a fine resolution, is
// what these leave of the note's time. The first bar has no Bar token.
//
// MidiTok counts bars from the start of the piece as if all were in the running signature, and
// takes numerator * denominator / 4 quarters for a bar. Encoding and decoding agree on it, but Bar
// tokens stand at bar lines only where a piece has one signature, in quarters.

#include <algorithm>
#include <bitset>
#include <cmath>
#include <set>
#include <utility>

#include "continuo/token/clocks.h"
#include "continuo/token/decoder.h"
#include "continuo/token/event_list.h"
#include "continuo/token/python_compat.h"
#include "continuo/token/representation.h"
#include "continuo/token/small_grammar.h"
#include "continuo/token/stream_state.h"
#include "continuo/token/token_tables_builder.h"
#include "continuo/token/window.h"

namespace continuo {

namespace {

constexpr int kMaxTicksPerQuarter = 1 << 14;
constexpr int kMaxBins = 1 << 14;
constexpr double kMaxShift = 16;
// With few ticks in a quarter, an absurd delta time could ask for any number of bars.
constexpr size_t kMostIds = size_t{1} << 23;

Status Adapt(TokenizerConfig& config) {
  const PerTokConfig& own = config.pertok;
  if (own.ticks_per_quarter < 1 || own.ticks_per_quarter > kMaxTicksPerQuarter) {
    return MakeError("additional_params.ticks_per_quarter is {}, expected 1 to {}", own.ticks_per_quarter,
                     kMaxTicksPerQuarter);
  }
  if (!(own.max_microtiming_shift >= 0 && own.max_microtiming_shift <= kMaxShift)) {
    return MakeError("additional_params.max_microtiming_shift is {}, expected 0 to {} quarter notes",
                     own.max_microtiming_shift, kMaxShift);
  }
  if (own.num_microtiming_bins < 1 || own.num_microtiming_bins > kMaxBins) {
    return MakeError("additional_params.num_microtiming_bins is {}, expected 1 to {}", own.num_microtiming_bins,
                     kMaxBins);
  }
  if (config.sustain_pedal_duration && config.use_sustain_pedals) {
    return MakeError("sustain_pedal_duration is not supported for PerTok");
  }
  for (const BeatRange& range : config.beat_res) {
    if (range.resolution > own.ticks_per_quarter) {
      return MakeError("beat_res: resolution {}, expected at most ticks_per_quarter, {}", range.resolution,
                       own.ticks_per_quarter);
    }
  }
  if (config.beat_res.back().last == 1 && config.beat_res.size() == 1 && config.beat_res[0].resolution == 1) {
    return MakeError("beat_res leaves PerTok no length of time");
  }
  for (const MeterRange& range : config.time_signature_range) {
    if (config.use_time_signatures && range.denominator * own.ticks_per_quarter % 4 != 0) {
      return MakeError(
          "additional_params.ticks_per_quarter is {}, expected a multiple of 4 for time_signature_range with "
          "denominator {}",
          own.ticks_per_quarter, range.denominator);
    }
  }
  return {};
}

/// As MidiTok lists them: range by range, without repeats.
std::vector<std::array<int, 3>> DurationsInOrder(const TokenizerConfig& config) {
  const int ticks = config.pertok.ticks_per_quarter;
  std::vector<std::array<int, 3>> durations;
  for (const BeatRange& range : config.beat_res) {
    for (int beat = range.first; beat < range.last; ++beat) {
      for (int part = beat == 0 ? 1 : 0; part < range.resolution; ++part) {
        durations.push_back({beat, ticks / range.resolution * part, ticks});
      }
    }
  }
  std::vector<std::array<int, 3>> kept;
  std::set<std::array<int, 3>> seen;
  for (const std::array<int, 3>& duration : durations) {
    if (seen.insert(duration).second) {
      kept.push_back(duration);
    }
  }
  return kept;
}

std::vector<std::array<int, 3>> Durations(const TokenizerConfig& config) {
  std::vector<std::array<int, 3>> durations = DurationsInOrder(config);
  std::sort(durations.begin(), durations.end());
  return durations;
}

void AddTimes(TokenTablesBuilder& builder, std::string_view name, TokenType type, std::vector<TokenId>& ids) {
  const std::vector<std::array<int, 3>>& rising = builder.tables().durations;
  ids.assign(rising.size(), kNoToken);
  for (const std::array<int, 3>& duration : DurationsInOrder(builder.tables().config)) {
    const auto place = std::lower_bound(rising.begin(), rising.end(), duration) - rising.begin();
    ids[static_cast<size_t>(place)] =
        builder.Add(fmt::format("{}_{}", name, TimeName(duration)), type, static_cast<int>(place));
  }
}

void WriteVocabulary(TokenTablesBuilder& builder) {
  TokenTables& tables = builder.tables();
  const TokenizerConfig& config = tables.config;
  tables.bar = builder.Add("Bar_None", TokenType::kBar, 0);
  builder.AddPitches("Pitch", TokenType::kPitch, config.pitch_range, tables.pitch);
  if (config.use_velocities) {
    builder.AddVelocities();
  }
  if (!config.use_note_duration_programs.empty()) {
    AddTimes(builder, "Duration", TokenType::kDuration, tables.duration);
  }
  if (config.pertok.use_position_toks) {
    tables.first_position = builder.Add("Position_0", TokenType::kPosition, 0);
    for (const int32_t ticks : tables.time_table(config.pertok.ticks_per_quarter).ticks()) {
      builder.Add(fmt::format("Position_{}", ticks), TokenType::kPosition, ticks);
    }
  } else {
    AddTimes(builder, "TimeShift", TokenType::kTimeShift, tables.time_shift);
  }
  if (config.pertok.use_microtiming) {
    const double longest = config.pertok.max_microtiming_shift * config.pertok.ticks_per_quarter;
    for (const double value : Linspace(-longest, longest, config.pertok.num_microtiming_bins + 1)) {
      const int ticks = static_cast<int>(std::floor(value));
      tables.micro_timing_ticks.push_back(ticks);
      tables.micro_timing.push_back(builder.Add(fmt::format("MicroTiming_{}", ticks), TokenType::kMicroTiming, ticks));
    }
  }
  builder.AddAdditional();
}

/// What a MicroTiming follows.
bool IsTimed(TokenType type) {
  switch (type) {
    case TokenType::kPitch:
    case TokenType::kPitchDrum:
    case TokenType::kPedal:
    case TokenType::kPedalOff:
    case TokenType::kPitchBend:
    case TokenType::kNoteChord:
    case TokenType::kProgram:
      return true;
    default:
      return false;
  }
}

/// Of rising values, the index of that nearest to `wanted`; between two, that which `prefers_first`
/// says.
template <typename PrefersFirst>
size_t NearestOf(const std::vector<int32_t>& rising, int64_t wanted, const PrefersFirst& prefers_first) {
  const auto above = std::lower_bound(rising.begin(), rising.end(), wanted);
  if (above == rising.begin()) {
    return 0;
  }
  const auto index = static_cast<size_t>(above - rising.begin());
  if (above == rising.end()) {
    return index - 1;
  }
  const int64_t below_by = wanted - rising[index - 1];
  const int64_t above_by = rising[index] - wanted;
  return below_by < above_by || (below_by == above_by && prefers_first(index - 1, index)) ? index - 1 : index;
}

/// Index of the nearest length; of two, that which MidiTok lists first.
size_t NearestTime(int64_t ticks, const TokenTables& tables, const std::vector<TokenId>& ids) {
  return NearestOf(tables.time_table(tables.time_division).ticks(), ticks,
                   [&ids](size_t a, size_t b) { return ids[a] < ids[b]; });
}

TokenId NearestMicroTiming(int64_t ticks, const TokenTables& tables) {
  return tables.micro_timing[NearestOf(tables.micro_timing_ticks, ticks, [](size_t, size_t) { return true; })];
}

int32_t ShortestTime(const TokenTables& tables) {
  return tables.time_table(tables.time_division).min_ticks();
}

/// Writes a stream. Times are in ticks of the score; they may go back where the meter changes.
class StreamWriter {
 public:
  explicit StreamWriter(const TokenTables& tables)
      : tables_(tables), shortest_(ShortestTime(tables) / 2), ticks_per_bar_(int64_t{4} * tables.time_division) {}

  std::vector<TokenId>& ids() { return ids_; }

  /// The bars before an event.
  void OpenBars(int64_t time) {
    while (time > (bars_ + 1) * ticks_per_bar_ - shortest_ && ids_.size() < kMostIds) {
      ids_.push_back(tables_.bar);
      bar_time_ += ticks_per_bar_;
      ++bars_;
      now_ = bars_ * ticks_per_bar_;
    }
  }

  void SetMeter(const Meter& meter) {
    ticks_per_bar_ = int64_t{meter.numerator} * meter.denominator * tables_.time_division / 4;
  }

  /// The time token of an event where one is needed. What is left is the event's MicroTiming.
  int64_t GoTo(int64_t time) {
    const int64_t delta = time - now_;
    if (tables_.config.pertok.use_position_toks) {
      const int64_t in_bar = time - bar_time_;
      const std::vector<int32_t>& places = tables_.time_table(tables_.time_division).ticks();
      const size_t nearest = NearestOf(places, in_bar, [](size_t, size_t) { return true; });
      const bool at_line = in_bar <= places[nearest] - in_bar;
      const int64_t place = at_line ? 0 : places[nearest];
      if (delta >= shortest_) {
        ids_.push_back(tables_.first_position + (at_line ? 0 : static_cast<TokenId>(nearest) + 1));
        now_ = bar_time_ + place;
      }
      return in_bar - place;
    }
    if (delta < shortest_) {
      return delta;
    }
    const size_t nearest = NearestTime(delta, tables_, tables_.time_shift);
    const int32_t ticks = tables_.time_table(tables_.time_division).ticks()[nearest];
    ids_.push_back(tables_.time_shift[nearest]);
    now_ += ticks;
    return delta - ticks;
  }

  void PutMicroTiming(int64_t ticks) {
    if (tables_.config.pertok.use_microtiming) {
      ids_.push_back(NearestMicroTiming(ticks, tables_));
    }
  }

 private:
  const TokenTables& tables_;
  const int64_t shortest_;  // half the shortest length
  int64_t ticks_per_bar_;
  int64_t bars_ = 0;
  int64_t bar_time_ = 0;
  int64_t now_ = 0;
  std::vector<TokenId> ids_;
};

class StreamEncoder {
 public:
  StreamEncoder(const TokenTables& tables, bool has_meters)
      : tables_(tables), has_meters_(has_meters), writer_(tables) {}

  std::vector<TokenId> Run(const EventList& list) {
    const bool changes = tables_.one_stream() && tables_.config.program_changes;
    int program = -2;  // none yet
    for (const uint32_t place : list.order) {
      const ScoreEvent& event = list.events[place];
      if (changes && event.kind >= ScoreEvent::Kind::kBend && event.program != program) {
        program = event.program;
        Put(tables_.program[static_cast<size_t>(program + 1)], event);
      }
      for (size_t i = 0; i < event.count; ++i) {
        Put(event.ids[i], event);
      }
    }
    return std::move(writer_.ids());
  }

 private:
  void Put(TokenId id, const ScoreEvent& event) {
    const TokenInfo& info = tables_.infos[static_cast<size_t>(id)];
    if (info.type == TokenType::kTimeSig && !has_meters_) {
      return;
    }
    writer_.OpenBars(event.time);
    if (info.type == TokenType::kTimeSig) {
      writer_.SetMeter(tables_.time_signatures[static_cast<size_t>(info.value)]);
    }
    if (info.type == TokenType::kDuration) {
      id = tables_.duration[NearestTime(event.end - event.time, tables_, tables_.duration)];
    }
    const bool timed = IsTimed(info.type);
    const int64_t left = timed ? writer_.GoTo(event.time) : 0;
    writer_.ids().push_back(id);
    if (timed) {
      writer_.PutMicroTiming(left);
    }
  }

  const TokenTables& tables_;
  const bool has_meters_;
  StreamWriter writer_;
};

std::vector<std::vector<TokenId>> Encode(const Score& score, const TokenTables& tables) {
  const PreparedScore prepared = PrepareScore(score, tables);
  const bool has_meters =
      std::any_of(score.time_signatures.begin(), score.time_signatures.end(), [&tables](const TimeSignature& meter) {
        return tables.FindTimeSignature(meter.numerator, meter.denominator) >= 0;
      });
  std::vector<std::vector<TokenId>> streams;
  for (const EventList& list : OrderedEvents(prepared, tables)) {
    streams.push_back(StreamEncoder(tables, has_meters).Run(list));
  }
  if (tables.config.program_changes && !tables.one_stream()) {
    for (size_t i = 0; i < prepared.tracks.size(); ++i) {
      streams[i].insert(streams[i].begin(), tables.program[static_cast<size_t>(prepared.tracks[i].program + 1)]);
    }
  }
  return streams;
}

class PerTokDecoder : public Decoder {
 public:
  using Decoder::Decoder;

 private:
  void DecodeStream() override {
    ShiftClock clock(tables_);
    for (size_t i = 0; i < ids_.size(); ++i) {
      const TokenInfo& info = Info(i);
      switch (info.type) {
        case TokenType::kBar:
          clock.OnPerTokBar();
          break;
        case TokenType::kTimeShift:
          clock.OnTimeShift(info.value);
          break;
        case TokenType::kPosition:
          clock.OnPerTokPosition(info.value);
          break;
        case TokenType::kTimeSig:
          DecodeMeter(info.value, clock);
          break;
        case TokenType::kPitch:
        case TokenType::kPitchDrum:
          DecodeTimedNote(i, info, clock);
          break;
        default:
          DecodeEvent(i, info, clock);
          break;
      }
    }
  }

  void DecodeTimedNote(size_t position, const TokenInfo& pitch, const ShiftClock& clock) {
    if (pitch.value < config_.pitch_range[0] || pitch.value > config_.pitch_range[1]) {
      return;
    }
    size_t next = position + 1;
    int32_t micro_timing = 0;
    if (config_.pertok.use_microtiming) {
      if (next >= ids_.size()) {
        return;
      }
      // Another token in its place stands for none.
      micro_timing = Info(next).type == TokenType::kMicroTiming ? Info(next).value : 0;
      ++next;
    }
    DecodeAnyNote(next, pitch, AddTicks(clock.tick(), micro_timing), clock.meter());
  }
};

Score Decode(std::span<const std::vector<TokenId>> streams, const TokenTables& tables) {
  return PerTokDecoder(tables).Run(streams);
}

/// A piece with a target keeps to the signature that it begins with, and a Bar that leads to its
/// end or beyond closes it. Without a target, signatures may come anywhere, as MidiTok writes them.
class PerTokGrammar : public SmallGrammar<PerTokGrammar> {
 public:
  PerTokGrammar(const TokenTables& tables, const GrammarTarget& target)
      : SmallGrammar(tables, target),
        clock_(tables),
        programs_(tables),
        shortest_(ShortestTime(tables)),
        leads_with_program_(tables.config.program_changes && !tables.one_stream()) {
    Refresh();
  }

  int32_t bar() const { return clock_.bar(); }

  bool CanEndAt(size_t bars) const {
    const int32_t end = clock_.TickOfBar(static_cast<int64_t>(std::min<size_t>(bars, INT32_MAX)));
    return expect_ == Expect::kFree && clock_.tick() <= end - shortest_ && ReachesBars(clock_.meter()) &&
           (!tables_.config.pertok.use_position_toks || clock_.tick() <= clock_.NextPerTokBar());
  }

  template <typename Sink>
  void Enumerate(Sink& sink) const {
    switch (expect_) {
      case Expect::kFree:
        EnumerateFree(sink);
        break;
      case Expect::kItem:
        EnumerateItems(/*with_programs=*/true, sink);
        break;
      case Expect::kItemOfProgram:
        EnumerateItems(/*with_programs=*/false, sink);
        if (!moved_) {
          EnumerateTimes(sink);
        }
        break;
      case Expect::kMicroTiming:
        EnumerateMicroTimings(sink);
        break;
      case Expect::kVelocity:
        sink.Range(tables_.range(TokenType::kVelocity));
        break;
      case Expect::kDuration:
        EnumerateDurations(sink);
        break;
    }
  }

  void Take(TokenId /*id*/, const TokenInfo& info) {
    const bool leads = leads_with_program_ && info.type == TokenType::kProgram;
    at_start_ = at_start_ && leads;
    switch (info.type) {
      case TokenType::kBar:
        if (has_target() && clock_.NextPerTokBar() >= end_) {
          complete_ = true;
          return;
        }
        clock_.OnPerTokBar();
        tempo_may_come_ = true;
        placed_ = false;
        break;
      case TokenType::kTimeShift:
        clock_.OnTimeShift(info.value);
        Moved();
        break;
      case TokenType::kPosition:
        clock_.OnPerTokPosition(info.value);
        placed_ = true;
        Moved();
        break;
      case TokenType::kTimeSig:
        clock_.OnMeter(tables_.time_signatures[static_cast<size_t>(info.value)]);
        break;
      case TokenType::kTempo:
        tempo_may_come_ = false;
        break;
      case TokenType::kProgram:
        programs_.TakeProgram(info.value);
        if (!leads) {
          TakeTimed(info.type, Expect::kItemOfProgram);
        }
        break;
      case TokenType::kPedal:
      case TokenType::kPedalOff:
        TakePedal(info);
        break;
      case TokenType::kPitch:
      case TokenType::kPitchDrum:
        programs_.TakePitch(info.type == TokenType::kPitchDrum);
        onset_ = clock_.tick();
        TakeTimed(info.type, Expect::kVelocity);
        break;
      case TokenType::kMicroTiming:
        onset_ = AddTicks(clock_.tick(), info.value);
        Continue();
        break;
      case TokenType::kVelocity:
        TakeVelocity();
        break;
      case TokenType::kDuration:
        EndNote();
        break;
      default:  // a bend or chord
        TakeTimed(info.type, Expect::kFree);
        break;
    }
  }

  void Refresh() {
    if (has_target()) {
      end_ = clock_.TickOfBar(static_cast<int64_t>(std::min<size_t>(target_bars_, INT32_MAX)));
    }
  }

 private:
  enum class Expect : uint8_t {
    kFree,           // anything
    kItem,           // after a token of time: an event
    kItemOfProgram,  // after a Program: an event of it
    kMicroTiming,
    kVelocity,
    kDuration,
  };

  bool AnyPedal() const { return pedals_.any(); }
  bool MayClose() const { return MayEnd() && !AnyPedal(); }

  /// Whether a time may come next: with a target, each place comes once.
  bool MayMoveTo(int32_t tick) const { return has_target() && placed_ ? tick > clock_.tick() : tick >= clock_.tick(); }

  /// Notes can be put into each bar of a piece in that signature.
  bool ReachesBars(const MeterClock& meter) const {
    const std::vector<int32_t>& timings = tables_.micro_timing_ticks;
    const int32_t span = timings.empty() ? 0 : timings.back() - timings.front();
    if (meter.ticks_per_bar() < span + shortest_) {
      return false;
    }
    ShiftClock clock(tables_);
    clock.OnMeter(meter.meter());
    return !tables_.config.pertok.use_position_toks || clock.PerTokBarTicks() == meter.ticks_per_bar();
  }

  template <typename Sink>
  void EnumerateFree(Sink& sink) const {
    if (leads_with_program_ && at_start_ && !started_) {
      programs_.EnumeratePrograms(sink);
    }
    if (!has_target()) {
      sink.Range(tables_.range(TokenType::kTimeSig));
    } else if (at_start_) {
      for (size_t i = 0; i < tables_.time_signatures.size(); ++i) {
        if (ReachesBars(MeterClock(tables_, tables_.time_signatures[i]))) {
          sink.One(tables_.time_signature[i]);
        }
      }
    }
    if (!has_target() || tempo_may_come_) {
      sink.Range(tables_.range(TokenType::kTempo));
    }
    const int32_t line = clock_.NextPerTokBar();
    if (!has_target() || (line >= end_ ? MayClose() : line >= clock_.tick() && line <= end_ - shortest_)) {
      sink.One(tables_.bar);
    }
    EnumerateTimes(sink);
    EnumerateItems(/*with_programs=*/true, sink);
    if (!AnyPedal()) {
      EnumerateEnd(sink);
    }
  }

  /// With a target up to the next bar line, where a Bar comes before what follows.
  template <typename Sink>
  void EnumerateTimes(Sink& sink) const {
    int32_t last = INT32_MAX;
    if (has_target()) {
      const int32_t line = clock_.NextPerTokBar();
      last = clock_.tick() <= line ? std::min(line, end_ - shortest_) : end_ - shortest_;
    }
    if (tables_.config.pertok.use_position_toks) {
      const IdRange& places = tables_.range(TokenType::kPosition);
      for (TokenId id = places.first; id < places.end(); ++id) {
        const int32_t tick = AddTicks(clock_.tick_at_pertok_bar(), tables_.infos[static_cast<size_t>(id)].value);
        if (MayMoveTo(tick) && tick <= last) {
          sink.One(id);
        }
      }
      return;
    }
    const std::vector<int32_t>& ticks = clock_.meter().time_table().ticks();
    for (size_t i = 0; i < ticks.size() && AddTicks(clock_.tick(), ticks[i]) <= last; ++i) {
      sink.One(tables_.time_shift[i]);
    }
  }

  template <typename Sink>
  void EnumerateItems(bool with_programs, Sink& sink) const {
    const TokenizerConfig& config = tables_.config;
    if (with_programs) {
      EnumeratePedals(sink);
      if (config.use_programs && !leads_with_program_) {
        programs_.EnumeratePrograms(sink);
      }
      if (tables_.program_tokens()) {
        return;
      }
    }
    programs_.EnumeratePitches(tables_.range(TokenType::kPitch), tables_.drum_range, sink);
    sink.Range(tables_.range(TokenType::kPitchBend));
    if (!config.use_programs || programs_.program() != -1) {
      sink.Range(tables_.range(TokenType::kNoteChord));
    }
  }

  template <typename Sink>
  void EnumeratePedals(Sink& sink) const {
    if (!tables_.config.use_sustain_pedals) {
      return;
    }
    const auto one = [&](int program) {
      const auto index = static_cast<size_t>(program + 1);
      sink.One((pedals_[index] ? tables_.pedal_off : tables_.pedal)[index]);
    };
    if (!tables_.config.use_programs) {
      one(0);
    } else if (!tables_.one_stream() && programs_.fixed()) {
      one(programs_.program());
    } else {
      for (int program = -1; program < 128; ++program) {
        one(program);
      }
    }
  }

  /// Of a note: to where it may begin. MidiTok writes a time before the start for a note there if
  /// none is nearer.
  template <typename Sink>
  void EnumerateMicroTimings(Sink& sink) const {
    if (timed_ != TokenType::kPitch) {
      sink.Range(tables_.range(TokenType::kMicroTiming));
      return;
    }
    const std::vector<int32_t>& ticks = tables_.micro_timing_ticks;
    const int32_t last = has_target() ? end_ - shortest_ : INT32_MAX;
    const int32_t now = clock_.tick();
    for (size_t i = 0; i < ticks.size(); ++i) {
      const bool before_start = int64_t{now} + ticks[i] < 0;
      const bool nearest = before_start && NearestMicroTiming(-int64_t{now}, tables_) == tables_.micro_timing[i];
      if ((!before_start || nearest) && AddTicks(now, ticks[i]) <= last) {
        sink.One(tables_.micro_timing[i]);
      }
    }
  }

  /// The shortest in any case, so that a note that may begin can be finished.
  template <typename Sink>
  void EnumerateDurations(Sink& sink) const {
    const std::vector<int32_t>& ticks = clock_.meter().time_table().ticks();
    for (size_t i = 0; i < ticks.size() && (i == 0 || !has_target() || AddTicks(onset_, ticks[i]) <= end_); ++i) {
      sink.One(tables_.duration[i]);
    }
  }

  void Moved() {
    moved_ = true;
    tempo_may_come_ = true;
    expect_ = expect_ == Expect::kFree ? Expect::kItem : expect_;
  }

  void TakePedal(const TokenInfo& info) {
    if (tables_.config.use_programs && !tables_.one_stream()) {
      programs_.TakeProgram(info.value);
    }
    pedals_[static_cast<size_t>(info.value + 1)] = info.type == TokenType::kPedal;
    TakeTimed(info.type, Expect::kFree);
  }

  /// A token that a MicroTiming follows, and then what is expected.
  void TakeTimed(TokenType type, Expect then) {
    timed_ = type == TokenType::kPitchDrum ? TokenType::kPitch : type;
    then_ = then;
    moved_ = false;
    expect_ = Expect::kMicroTiming;
    if (!tables_.config.pertok.use_microtiming) {
      Continue();
    }
  }

  void Continue() {
    expect_ = then_;
    if (expect_ == Expect::kVelocity && !tables_.config.use_velocities) {
      TakeVelocity();
    }
  }

  void TakeVelocity() {
    expect_ = Expect::kDuration;
    if (!tables_.uses_durations[static_cast<size_t>(programs_.program() + 1)]) {
      EndNote();
    }
  }

  void EndNote() {
    expect_ = Expect::kFree;
    ShiftClock at_onset = clock_;
    at_onset.Shift(int64_t{onset_} - clock_.tick());
    onset_bar_ = std::max(onset_bar_, at_onset.bar());
  }

  ShiftClock clock_;
  StreamPrograms programs_;
  int32_t shortest_;         // length
  bool leads_with_program_;  // a stream of its own for each track
  bool at_start_ = true;     // nothing but that program has come
  bool moved_ = false;       // time has, since the last event
  bool placed_ = false;      // by a Position of this bar
  bool tempo_may_come_ = true;
  Expect expect_ = Expect::kFree;
  Expect then_ = Expect::kFree;  // after the MicroTiming
  TokenType timed_ = TokenType::kPitch;
  int32_t onset_ = 0;  // of the note under way
  std::bitset<129> pedals_;
  int32_t end_ = INT32_MAX;
};

std::unique_ptr<Grammar> NewGrammar(const TokenTables& tables, const GrammarTarget& target) {
  return std::make_unique<PerTokGrammar>(tables, target);
}

/// What is written at a bar line for what is in force there, and then the tokens from there on.
class WindowCutter {
 public:
  WindowCutter(std::span<const TokenId> ids, const TokenTables& tables)
      : ids_(ids), tables_(tables), state_(tables), writer_(tables) {}

  std::vector<TokenId> Cut(size_t start, size_t bar) {
    while (next_ < start || (next_ < ids_.size() && IsGlobal(TypeAt(next_)))) {
      TakeOld();
    }
    origin_ = state_.shift().TickOfBar(static_cast<int64_t>(bar));
    const bool leads = tables_.config.program_changes && !tables_.one_stream();
    for (const TokenId id : {leads ? state_.stream_program() : kNoToken, meter_, state_.tempo()}) {
      Put(id);
    }
    if (meter_ != kNoToken) {
      writer_.SetMeter(state_.meter().meter());
    }
    for (int program = -1; program < 128; ++program) {
      if (state_.pedal_is_down(program)) {
        PutTimed(tables_.pedal[static_cast<size_t>(program + 1)]);
      }
    }
    if (tables_.config.program_changes && !leads && state_.stream_program() != kNoToken) {
      PutTimed(tables_.program[static_cast<size_t>(state_.program() + 1)]);
    }
    while (next_ < ids_.size()) {
      CopyNext();
    }
    return std::move(writer_.ids());
  }

 private:
  static bool IsGlobal(TokenType type) { return type == TokenType::kTimeSig || type == TokenType::kTempo; }

  TokenType TypeAt(size_t position) const { return tables_.InfoOf(ids_[position]).type; }

  void TakeOld() {
    meter_ = TypeAt(next_) == TokenType::kTimeSig ? ids_[next_] : meter_;
    state_.Advance(ids_[next_++]);
  }

  void Put(TokenId id) {
    if (id != kNoToken) {
      writer_.ids().push_back(id);
    }
  }

  void PutTimed(TokenId id) {
    Put(id);
    writer_.PutMicroTiming(0);
  }

  void CopyNext() {
    const TokenType type = TypeAt(next_);
    const TokenId id = ids_[next_];
    TakeOld();
    if (type == TokenType::kBar || type == TokenType::kTimeShift || type == TokenType::kPosition) {
      return;
    }
    const int64_t now = int64_t{state_.tick()} - origin_;
    if (IsGlobal(type) || IsTimed(type)) {
      writer_.OpenBars(now);
    }
    if (type == TokenType::kTimeSig) {
      writer_.SetMeter(state_.meter().meter());
    }
    if (IsTimed(type)) {
      writer_.GoTo(now);
    }
    // A note may have begun just before the bar line.
    if (type == TokenType::kMicroTiming && now + tables_.infos[static_cast<size_t>(id)].value < 0) {
      writer_.PutMicroTiming(-now);
    } else {
      Put(id);
    }
  }

  const std::span<const TokenId> ids_;
  const TokenTables& tables_;
  StreamState state_;
  StreamWriter writer_;
  size_t next_ = 0;
  int64_t origin_ = 0;
  TokenId meter_ = kNoToken;  // the last TimeSig
};

std::vector<TokenId> Window(std::span<const TokenId> ids, size_t bar, const TokenTables& tables) {
  const std::vector<size_t> offsets = FindBarOffsets(ids, tables);
  if (bar >= offsets.size()) {
    return {};
  }
  return WindowCutter(ids, tables).Cut(offsets[bar], bar);
}

}  // namespace

constinit const Representation kPerTokRepresentation{
    .name = "PerTok",
    .preset = "pertok",
    .kind = TokenizationKind::kPerTok,
    .keeps_ticks = true,
    .only_3_1_0 = true,
    .adapt = Adapt,
    .durations = Durations,
    .write_vocabulary = WriteVocabulary,
    .encode = Encode,
    .decode = Decode,
    .bar_offsets = FindBarOffsets,
    .window = Window,
    .new_grammar = NewGrammar,
};

}  // namespace continuo
