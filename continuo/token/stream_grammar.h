#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string>
#include <vector>

#include "continuo/token/clocks.h"
#include "continuo/token/grammar_base.h"
#include "continuo/token/token_tables.h"

namespace continuo {

/// What the grammars of all kinds share: the order of the events of one tick, notes, chords, pedals
/// and bends of one or many programs, and what may end a piece. A kind adds its way of moving time.
///
/// The events of a tick follow MidiTok's order. A signature, a tempo and a chord of REMIChord come
/// first. Then each program has one block: pedal, bend, ends of notes, chord, notes. MIDI-Like with
/// chords goes by kinds of event instead: ends of notes, pedals, bends, and then a block of chord
/// and notes for each program.
class StreamGrammar : public GrammarBase {
 protected:
  /// What has been begun and must be finished first.
  enum class Expect : uint8_t {
    kNothing,
    kVelocity,
    kDuration,
    kPedalDuration,
    kItem,     // after a Program token: an event of that program
    kNote,     // after a chord: a note
    kProgram,  // after a chord: the Program token of that note
    // Of REMI:
    kEvent,  // after a Position: any event
    kMeter,  // after a Bar: its time signature
    kBar,    // after a Bar_End
  };

  StreamGrammar(const TokenTables& tables, const GrammarTarget& target);
  StreamGrammar(const StreamGrammar&) = default;
  StreamGrammar& operator=(const StreamGrammar&) = default;

  bool TakeAllToSound() override;
  void CountSounding(std::span<uint16_t> now, std::span<uint16_t> later) const override;

  bool half_written() const { return expect_ != Expect::kNothing; }

  /// Begins a new tick.
  void NewTick(int32_t tick);

  bool AnyPedal() const { return active_pedals_ > 0; }
  bool AnySounding() const { return all_sound_ || !sounding_.empty(); }
  /// True if the piece may end with the bar under way, `in_last_bar` telling if that is the
  /// target's last.
  bool MayEnd(bool in_last_bar) const {
    return !AnyPedal() && !AnySounding() && (has_target() ? in_last_bar && onset_in_last_bar_ : any_note_);
  }

  // Those that decide among few ids are inlined: a call and its saved registers cost as much.

  /// The tokens that finish what was begun by kVelocity to kProgram.
  template <typename Sink>
  void EnumerateUnfinished(Sink& sink) const;
  /// Events of this tick. Tempo only if nothing has been written there.
  template <typename Sink>
  void EnumerateEvents(Sink& sink) const;
  /// Only what ends pedals and notes.
  template <typename Sink>
  void EnumerateClosing(Sink& sink) const;
  template <typename Sink>
  void EnumerateDurations(Sink& sink) const;
  /// Program tokens that may begin a stream of its own (program_changes without one stream).
  template <typename Sink>
  void EnumerateStreamPrograms(Sink& sink) const;

  /// True if nothing within `horizon` ticks can come near the target's end. `bar` is the one under
  /// way.
  bool FarFromEnd(int32_t horizon, int32_t bar, const MeterClock& meter) const;
  /// Grammar::AppendKey of what is known here; `far` is FarFromEnd, `now` the time.
  bool AppendSharedKey(int32_t horizon, bool far, int32_t now, const MeterClock& meter, std::string& key) const;
  template <typename Number>
  static void Append(std::string& key, Number number) {
    key.append(reinterpret_cast<const char*>(&number), sizeof(number));
  }

  /// Takes an event's token, which is allowed. False if the token is none of an event.
  bool TakeEvent(TokenId id, const TokenInfo& info, const MeterClock& meter);
  void TakeStreamProgram(int program);

  Expect expect_ = Expect::kNothing;
  bool any_note_ = false;
  bool onset_in_last_bar_ = false;

  // Kept by the kind, before events are enumerated or taken:
  bool in_last_bar_ = false;
  bool may_press_pedal_ = true;  // there is a later time to release it at
  int32_t end_ = INT32_MAX;      // where the target ends, as far as the running time signature determines it
  const TimeTable* time_table_ = nullptr;

  int32_t tick_ = 0;
  bool fresh_ = true;           // no tempo or later event at this tick
  bool before_chord_ = true;    // no chord of REMIChord or later event at this tick
  TokenId harmony_ = kNoToken;  // the chord of REMIChord in force
  int32_t note_end_ = 0;        // as decoders count it for rests
  int32_t sound_end_ = 0;       // the latest end of a note

 private:
  enum Item : uint8_t { kNoItem, kPedalItem, kBendItem, kNoteOffItem, kChordItem, kNoteItem };

  struct SoundingNote {
    int16_t program;
    uint8_t pitch;
    bool drum;
    int32_t onset;
  };

  /// True if an event of a kind may stand at this place of the tick.
  bool CanPlace(Item item, int program) const;
  void Place(Item item, int program);
  bool IsDrum(int program) const {
    return tables_.config.use_programs ? program == -1 && tables_.config.use_pitchdrum_tokens : drum_stream_;
  }
  bool HasPitches(int program) const { return !IsDrum(program) || tables_.drum_range.count > 0; }
  bool HasItem(int program) const;
  bool Uses(int program) const { return tables_.uses_durations[static_cast<size_t>(program + 1)]; }
  template <typename Sink>
  void EnumerateItems(Sink& sink, int program) const;
  template <typename Sink>
  void EnumeratePitches(Sink& sink, int program) const;
  template <typename Sink>
  void EnumerateNoteOffs(Sink& sink, int program) const;
  template <typename Sink>
  void EnumeratePedals(Sink& sink) const;
  template <typename Sink>
  void EnumeratePrograms(Sink& sink) const;
  /// Chords of REMIChord, but that in force.
  template <typename Sink>
  void EnumerateHarmonies(Sink& sink) const;
  void FinishNote(int32_t duration);
  void TakePitch(const TokenInfo& info, const MeterClock& meter);
  void TakeNoteOff(int pitch);

  bool by_kind_;         // MIDI-Like with chords
  bool program_tokens_;  // before each item
  bool one_stream_;
  std::vector<int16_t> programs_;  // that the stream may use

  int program_ = 0;          // of the item under way, or the running one
  bool program_set_ = true;  // program changes: one has been written
  bool stream_fixed_ = false;
  bool drum_stream_ = false;
  bool drums_decided_ = false;  // streams without programs are of drums or of pitches

  // The place within the tick.
  Item stage_ = kNoItem;    // by kind
  int block_program_ = -2;  // none
  Item block_ = kNoItem;
  std::bitset<129> done_;  // programs whose block is over

  // The note under way.
  uint8_t note_pitch_ = 0;
  bool note_timed_ = true;
  int32_t untimed_ticks_ = 0;

  std::vector<SoundingNote> sounding_;  // first in, first out
  bool all_sound_ = false;              // TakeAllToSound; sounding_ is then kept no longer
  int active_pedals_ = 0;
  std::array<int32_t, 129> pedal_start_;  // -1: up
  std::array<int32_t, 129> pedal_end_;    // of the last
  std::array<int32_t, 129> bend_tick_;
  int pedal_program_ = 0;
};

inline bool StreamGrammar::CanPlace(Item item, int program) const {
  const size_t index = static_cast<size_t>(program + 1);
  if (item == kBendItem && bend_tick_[index] == tick_) {
    return false;
  }
  if (item >= kChordItem && !HasPitches(program)) {
    return false;
  }
  if (by_kind_) {
    // Ends of notes come first there.
    const auto stage = [](Item i) { return i == kNoteOffItem ? 1 : i == kPedalItem ? 2 : i == kBendItem ? 3 : 4; };
    if (stage_ != kNoItem && stage(item) < stage(stage_)) {
      return false;
    }
    if (item < kChordItem) {
      return true;
    }
  }
  if (program != block_program_) {
    return !done_[index];
  }
  return item == kChordItem || item == kPedalItem ? item > block_ : item >= block_;
}

template <typename Sink>
void StreamGrammar::EnumerateDurations(Sink& sink) const {
  const IdRange& all = tables_.range(TokenType::kDuration);
  // The shortest is allowed in any case, so that a note that may begin can be finished.
  TokenId count = all.count;
  if (end_ != INT32_MAX) {
    const int32_t room = end_ - tick_;
    count = room < time_table_->min_ticks() ? 1 : static_cast<TokenId>(time_table_->Floor(room)) + 1;
  }
  sink.Range({all.first, count});
}

template <typename Sink>
[[gnu::always_inline]] inline void StreamGrammar::EnumeratePitches(Sink& sink, int program) const {
  const IdRange& pitches = tables_.range(TokenType::kPitch);
  if (tables_.config.use_programs) {
    sink.Range(IsDrum(program) ? tables_.drum_range : pitches);
    return;
  }
  if (!drums_decided_ || !drum_stream_) {
    sink.Range(pitches);
  }
  if (!drums_decided_ || drum_stream_) {
    sink.Range(tables_.drum_range);
  }
}

template <typename Sink>
void StreamGrammar::EnumerateNoteOffs(Sink& sink, int program) const {
  if (all_sound_) {
    sink.Range(tables_.range(TokenType::kNoteOff));
    sink.Range(tables_.range(TokenType::kDrumOff));
    return;
  }
  for (const SoundingNote& note : sounding_) {
    if (note.program == program && note.onset < tick_) {
      sink.One((note.drum ? tables_.drum_off : tables_.note_off)[note.pitch]);
    }
  }
}

template <typename Sink>
[[gnu::always_inline]] inline void StreamGrammar::EnumerateItems(Sink& sink, int program) const {
  if (tables_.config.use_pitch_bends && CanPlace(kBendItem, program)) {
    sink.Range(tables_.range(TokenType::kPitchBend));
  }
  if (AnySounding() && CanPlace(kNoteOffItem, program)) {
    EnumerateNoteOffs(sink, program);
  }
  if (tables_.config.use_chords && !IsDrum(program) && program != -1 && CanPlace(kChordItem, program)) {
    sink.Range(tables_.range(TokenType::kNoteChord));
  }
  if (CanPlace(kNoteItem, program)) {
    EnumeratePitches(sink, program);
  }
}

template <typename Sink>
void StreamGrammar::EnumeratePrograms(Sink& sink) const {
  for (int16_t program : programs_) {
    if (HasItem(program) && (program_tokens_ || !program_set_ || program != program_)) {
      sink.One(tables_.program[static_cast<size_t>(program + 1)]);
    }
  }
}

template <typename Sink>
void StreamGrammar::EnumeratePedals(Sink& sink) const {
  for (int16_t program : programs_) {
    if (!CanPlace(kPedalItem, program)) {
      continue;
    }
    const size_t index = static_cast<size_t>(program + 1);
    if (pedal_start_[index] >= 0) {
      if (pedal_start_[index] < tick_) {
        sink.One(tables_.pedal_off[index]);
      }
    } else if ((may_press_pedal_ || tables_.config.sustain_pedal_duration) && pedal_end_[index] < tick_) {
      sink.One(tables_.pedal[index]);
    }
  }
}

template <typename Sink>
void StreamGrammar::EnumerateHarmonies(Sink& sink) const {
  const IdRange& all = tables_.range(TokenType::kChord);
  if (harmony_ == kNoToken) {
    sink.Range(all);
    return;
  }
  sink.Range({all.first, harmony_ - all.first});
  sink.Range({harmony_ + 1, all.first + all.count - harmony_ - 1});
}

template <typename Sink>
void StreamGrammar::EnumerateEvents(Sink& sink) const {
  if (fresh_) {
    sink.Range(tables_.range(TokenType::kTempo));
  }
  if (before_chord_) {
    EnumerateHarmonies(sink);
  }
  if (tables_.config.use_sustain_pedals) {
    EnumeratePedals(sink);
  }
  if (program_tokens_ || (tables_.config.program_changes && one_stream_)) {
    EnumeratePrograms(sink);
  }
  if (!program_tokens_ && program_set_) {
    EnumerateItems(sink, program_);
  }
}

template <typename Sink>
void StreamGrammar::EnumerateClosing(Sink& sink) const {
  for (int16_t program : programs_) {
    const size_t index = static_cast<size_t>(program + 1);
    if (pedal_start_[index] >= 0 && pedal_start_[index] < tick_) {
      sink.One(tables_.pedal_off[index]);
    }
  }
  if (all_sound_) {
    EnumerateNoteOffs(sink, program_);
    return;
  }
  for (const SoundingNote& note : sounding_) {
    if (note.onset >= tick_) {
      continue;
    }
    if (program_tokens_ || note.program != program_) {
      sink.One(tables_.program[static_cast<size_t>(note.program + 1)]);
    } else {
      sink.One((note.drum ? tables_.drum_off : tables_.note_off)[note.pitch]);
    }
  }
}

template <typename Sink>
[[gnu::always_inline]] inline void StreamGrammar::EnumerateUnfinished(Sink& sink) const {
  switch (expect_) {
    case Expect::kVelocity:
      sink.Range(tables_.range(TokenType::kVelocity));
      break;
    case Expect::kDuration:
    case Expect::kPedalDuration:
      EnumerateDurations(sink);
      break;
    case Expect::kItem:
      if (tick_ >= end_) {
        EnumerateNoteOffs(sink, program_);
      } else {
        EnumerateItems(sink, program_);
      }
      break;
    case Expect::kNote:
      EnumeratePitches(sink, program_);
      break;
    case Expect::kProgram:
      sink.One(tables_.program[static_cast<size_t>(program_ + 1)]);
      break;
    default:
      break;
  }
}

template <typename Sink>
void StreamGrammar::EnumerateStreamPrograms(Sink& sink) const {
  sink.Range(tables_.range(TokenType::kProgram));
}

}  // namespace continuo
