// Structured: a note is [Program] Pitch [Velocity] [Duration], and before each one TimeShift says
// how long after the note before it begins. Nothing else is written: no tempos, signatures or
// pedals; a piece is in 4/4.

#include <algorithm>
#include <utility>

#include "continuo/token/clocks.h"
#include "continuo/token/decoder.h"
#include "continuo/token/event_list.h"
#include "continuo/token/representation.h"
#include "continuo/token/small_grammar.h"
#include "continuo/token/token_tables_builder.h"
#include "continuo/token/window.h"

namespace continuo {

namespace {

Status Adapt(TokenizerConfig& config) {
  config.use_chords = false;
  config.use_rests = false;
  config.use_tempos = false;
  config.use_time_signatures = false;
  config.use_sustain_pedals = false;
  config.use_pitch_bends = false;
  config.program_changes = false;
  return {};
}

void WriteVocabulary(TokenTablesBuilder& builder) {
  builder.AddNotes();
  builder.tables().no_shift = builder.Add("TimeShift_0.0.1", TokenType::kNoShift, 0);
  builder.AddTimeShifts();
  builder.AddAdditional();
}

/// The token for a time between two notes: the nearest there is.
TokenId ShiftOf(int32_t ticks, const TimeTable& table, const TokenTables& tables) {
  return ticks == 0 ? tables.no_shift : tables.time_shift[table.Nearest(ticks)];
}

std::vector<std::vector<TokenId>> Encode(const Score& score, const TokenTables& tables) {
  const PreparedScore prepared = PrepareScore(score, tables);
  const TimeTable& table = tables.time_table(prepared.ticks_per_quarter);
  std::vector<std::vector<TokenId>> streams;
  for (const EventList& list : OrderedEvents(prepared, tables)) {
    std::vector<TokenId>& ids = streams.emplace_back();
    ids.reserve(list.order.size() * 5);
    int32_t previous = 0;
    for (const uint32_t place : list.order) {
      const ScoreEvent& event = list.events[place];
      ids.push_back(ShiftOf(event.time - previous, table, tables));
      ids.insert(ids.end(), event.ids.begin(), event.ids.begin() + event.count);
      previous = event.time;
    }
  }
  return streams;
}

class StructuredDecoder : public Decoder {
 public:
  using Decoder::Decoder;

 private:
  void DecodeStream() override {
    ShiftClock clock(tables_);
    for (size_t i = 0; i < ids_.size(); ++i) {
      const TokenInfo& info = Info(i);
      switch (info.type) {
        case TokenType::kTimeShift:
          clock.OnTimeShift(info.value);
          break;
        case TokenType::kPitch:
        case TokenType::kPitchDrum:
          DecodeAnyNote(i + 1, info, clock.tick(), clock.meter());
          break;
        case TokenType::kProgram:
          DecodeProgram(info.value);
          break;
        default:
          break;
      }
    }
    unnamed_program_ = program_;  // MidiTok lets the next stream have it
  }
};

Score Decode(std::span<const std::vector<TokenId>> streams, const TokenTables& tables) {
  return StructuredDecoder(tables).Run(streams);
}

/// With a target, a TimeShift to its end or beyond closes the last bar, as a Bar token does
/// elsewhere, and does not belong to the piece.
class StructuredGrammar : public SmallGrammar<StructuredGrammar> {
 public:
  StructuredGrammar(const TokenTables& tables, const GrammarTarget& target)
      : SmallGrammar(tables, target), clock_(tables), programs_(tables) {
    Refresh();
  }

  int32_t bar() const { return clock_.bar(); }
  bool CanEndAt(size_t /*bars*/) const { return expect_ == Expect::kShift; }

  template <typename Sink>
  void Enumerate(Sink& sink) const {
    switch (expect_) {
      case Expect::kShift:
        EnumerateShifts(sink);
        EnumerateEnd(sink);
        break;
      case Expect::kProgram:
        programs_.EnumeratePrograms(sink);
        break;
      case Expect::kPitch:
        programs_.EnumeratePitches(tables_.range(TokenType::kPitch), tables_.range(TokenType::kPitchDrum), sink);
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
    switch (info.type) {
      case TokenType::kTimeShift:
        if (has_target() && AddTicks(clock_.tick(), clock_.meter().TimeTicks(info.value)) >= end_) {
          complete_ = true;
          return;
        }
        clock_.OnTimeShift(info.value);
        BeginNote();
        break;
      case TokenType::kNoShift:
        BeginNote();
        break;
      case TokenType::kProgram:
        programs_.TakeProgram(info.value);
        expect_ = Expect::kPitch;
        break;
      case TokenType::kPitch:
      case TokenType::kPitchDrum:
        programs_.TakePitch(info.type == TokenType::kPitchDrum);
        expect_ = Expect::kVelocity;
        if (!tables_.config.use_velocities) {
          TakeVelocity();
        }
        break;
      case TokenType::kVelocity:
        TakeVelocity();
        break;
      default:
        EndNote();
        break;
    }
  }

  void Refresh() {
    if (has_target()) {
      end_ =
          AddTicks(0, static_cast<int64_t>(std::min<size_t>(target_bars_, INT32_MAX)) * clock_.meter().ticks_per_bar());
    }
  }

 private:
  enum class Expect : uint8_t { kShift, kProgram, kPitch, kVelocity, kDuration };

  template <typename Sink>
  void EnumerateShifts(Sink& sink) const {
    sink.One(tables_.no_shift);
    const IdRange& all = tables_.range(TokenType::kTimeShift);
    const int32_t room = end_ - clock_.tick() - 1;
    const TimeTable& table = clock_.meter().time_table();
    if (!has_target() || MayEnd()) {
      sink.Range(all);
    } else if (room >= table.min_ticks()) {
      sink.Range({all.first, static_cast<TokenId>(table.Floor(room)) + 1});
    }
  }

  /// The shortest in any case, so that a note that may begin can be finished.
  template <typename Sink>
  void EnumerateDurations(Sink& sink) const {
    const IdRange& all = tables_.range(TokenType::kDuration);
    const TimeTable& table = clock_.meter().time_table();
    const int32_t room = std::max(has_target() ? end_ - clock_.tick() : INT32_MAX, table.min_ticks());
    sink.Range({all.first, static_cast<TokenId>(table.Floor(room)) + 1});
  }

  void BeginNote() { expect_ = tables_.config.use_programs ? Expect::kProgram : Expect::kPitch; }

  void TakeVelocity() {
    expect_ = Expect::kDuration;
    if (!tables_.uses_durations[static_cast<size_t>(programs_.program() + 1)]) {
      EndNote();
    }
  }

  void EndNote() {
    expect_ = Expect::kShift;
    NoteBegins();
  }

  ShiftClock clock_;
  StreamPrograms programs_;
  Expect expect_ = Expect::kShift;
  int32_t end_ = INT32_MAX;
};

std::unique_ptr<Grammar> NewGrammar(const TokenTables& tables, const GrammarTarget& target) {
  return std::make_unique<StructuredGrammar>(tables, target);
}

/// The notes from the bar line on, the first of which is as far from it as it was.
std::vector<TokenId> Window(std::span<const TokenId> ids, size_t bar, const TokenTables& tables) {
  ShiftClock clock(tables);
  const int64_t origin = static_cast<int64_t>(bar) * clock.meter().ticks_per_bar();
  for (size_t i = 0; i < ids.size(); ++i) {
    const TokenInfo& info = tables.InfoOf(ids[i]);
    const TokenType type = info.type;
    if (type == TokenType::kTimeShift) {
      clock.OnTimeShift(info.value);
    }
    if ((type == TokenType::kTimeShift || type == TokenType::kNoShift) && clock.tick() >= origin) {
      std::vector<TokenId> window(ids.begin() + static_cast<std::ptrdiff_t>(i), ids.end());
      window[0] = ShiftOf(static_cast<int32_t>(clock.tick() - origin), clock.meter().time_table(), tables);
      return window;
    }
  }
  return {};
}

}  // namespace

constinit const Representation kStructuredRepresentation{
    .name = "Structured",
    .preset = "structured",
    .kind = TokenizationKind::kStructured,
    .only_3_1_0 = true,
    .adapt = Adapt,
    .write_vocabulary = WriteVocabulary,
    .encode = Encode,
    .decode = Decode,
    .bar_offsets = FindBarOffsets,
    .window = Window,
    .new_grammar = NewGrammar,
};

}  // namespace continuo
