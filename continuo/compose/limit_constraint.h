#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "continuo/compose/kept_top.h"
#include "continuo/compose/music_limits.h"
#include "continuo/compose/token_constraint.h"
#include "continuo/core/result.h"
#include "continuo/token/beat_pattern.h"
#include "continuo/token/grammar.h"
#include "continuo/token/stream_state.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// A grammar that is copied with what has it; or none.
class CopiedGrammar {
 public:
  explicit CopiedGrammar(std::unique_ptr<Grammar> grammar) : grammar_(std::move(grammar)) {}
  CopiedGrammar(const CopiedGrammar& other) : grammar_(other.grammar_ ? other.grammar_->Clone() : nullptr) {}
  CopiedGrammar(CopiedGrammar&&) = default;
  CopiedGrammar& operator=(const CopiedGrammar& other) {
    if (grammar_ && other.grammar_) {
      grammar_->CopyFrom(*other.grammar_);
    } else {
      grammar_ = other.grammar_ ? other.grammar_->Clone() : nullptr;
    }
    return *this;
  }
  CopiedGrammar& operator=(CopiedGrammar&&) = default;

  explicit operator bool() const { return grammar_ != nullptr; }
  Grammar* operator->() const { return grammar_.get(); }

 private:
  std::unique_ptr<Grammar> grammar_;
};

/// Keeps new notes to MusicLimits, in any representation.
///
/// Forbids the notes that break a limit, and the tokens after which none but such notes could come:
/// positions and time shifts to where no note may begin, programs that have nothing to write, and
/// in the last bar, which must have a note, all that leads past the last place for one. Notes that
/// fill the polyphony end before the last bar. So a piece always comes to its end within its
/// limits.
///
/// Kept notes (MusicLimits::keep_top) are written at their times before anything later, so that the
/// model reads them; new notes lie below the last of them, where the limits leave such a note. If a
/// kept note cannot be written, it is passed over.
///
/// It must stand before PitchConstraint in a list of constraints, and after all others, which may
/// require a position.
class LimitConstraint final : public TokenConstraint {
 public:
  /// The bars that are written.
  struct Place {
    size_t first_bar = 0;  // the first new one, counted from 0
    size_t bars = 1;       // of the piece when it is complete
    /// Where the last bar begins, if the bars may differ in length; in ticks of decoded scores.
    std::optional<int32_t> last_bar_tick = {};
  };

  /// Fails, naming the limit, its value and what is expected, on a grid that the tokenizer's
  /// positions or time shifts do not have, on a bar in which scale and range leave no pitch that it
  /// has, and on a limit for bars that are not written. `kept` is in the order of time. `tokenizer`
  /// must outlive the result and its clones.
  static Result<LimitConstraint> Create(const MusicLimits& limits, const Tokenizer& tokenizer, const Place& place,
                                        std::vector<KeptNote> kept = {});

  void Restrict(std::span<uint8_t> allowed) const override;
  void Advance(TokenId id) override;
  void BeginBar(size_t bar) override;
  std::unique_ptr<TokenConstraint> Clone() const override;
  bool CopyFrom(const TokenConstraint& other) override { return CopyState(*this, other); }
  /// Known of scales and ranges alone that stay as they are in all bars to come.
  bool RestrictIds(const IdTrie& trie, std::span<uint8_t> allowed) const override;

 private:
  /// The limits of one bar.
  struct Rules {
    uint16_t pitch_classes = 0xFFF;
    int low = 0;
    int high = 127;
    int grid = 0;  // parts of a whole note; 0: free
    int max_notes = INT32_MAX;
    int max_polyphony = INT32_MAX;
    bool Allows(int pitch) const { return pitch >= low && pitch <= high && (pitch_classes >> pitch % 12 & 1) != 0; }
  };
  /// A new note whose end is known.
  struct Sounding {
    int32_t end;
    int program;
    int pitch;
  };

  LimitConstraint(const MusicLimits& limits, const Tokenizer& tokenizer, const Place& place,
                  std::vector<KeptNote> kept);

  static Rules RulesOf(const MusicLimits& limits, size_t bar);
  Status CheckPitches(size_t bar) const;
  static Status CheckBars(std::string_view name, const BarSpan& bars, const Place& place);

  int64_t bar() const { return std::max<int64_t>(state_.bar(), 0); }
  int64_t last_bar() const { return static_cast<int64_t>(place_.bars) - 1; }
  bool note_off_stream() const { return tokenizer_->config().kind == TokenizationKind::kMidiLike; }
  int32_t BarTicks() const { return state_.meter().ticks_per_bar(); }
  /// Where a bar from the one under way on begins, in the running signature.
  int32_t LineOf(int64_t bar) const;
  int32_t LastBarTick() const { return place_.last_bar_tick.value_or(LineOf(last_bar())); }
  bool OnGrid(int grid, int32_t ticks_into_bar) const;
  /// How many of the new notes so far sound at a tick from now on.
  int PolyphonyAt(int32_t tick) const;
  /// Whether the limits let a note begin at a tick from now on.
  bool MayStrike(int32_t tick) const;
  /// The last tick of the last bar at which the grid has a note.
  int32_t LastStrike() const;
  /// Whether the last bar's note can still be written after time has moved to `tick`.
  bool LeavesLastNote(int32_t tick) const;
  bool AtKeptNote() const;
  /// Whether the next note that is kept may have this program.
  bool IsKeptProgram(int program) const { return (*kept_)[next_kept_].program.value_or(program) == program; }
  /// Whether the only limits from this bar on are one scale and one range.
  bool PitchesAlone() const;
  bool AnyPedalDown() const;
  bool UsesDurations(int program) const;
  /// The pitch below which new notes lie; 128 without.
  int Ceiling() const;

  void RestrictNotes(std::span<uint8_t> allowed) const;
  void RestrictPrograms(std::span<uint8_t> allowed) const;
  void RestrictDurations(std::span<uint8_t> allowed) const;
  void RestrictSignatures(std::span<uint8_t> allowed) const;
  /// Keeps a MicroTiming from taking a note out of its bar, off the grid, or to where others sound
  /// that are not counted.
  void RestrictOnset(std::span<uint8_t> allowed) const;
  /// What moves time: `strict` forbids to stop where no note may begin.
  void RestrictTime(bool strict, std::span<uint8_t> allowed) const;
  /// False if kept notes leave nothing.
  bool RestrictToKept(std::span<uint8_t> allowed) const;
  void Limit(bool strict, std::span<uint8_t> allowed) const;

  // Of BEAT, where a Pattern says what a key does in each step of a beat.

  /// A key of a track: its program, which of the program's tracks it is, the key.
  using BeatKey = std::tuple<int, int, int>;
  bool is_beat() const { return vocabulary_->has(TokenType::kPattern); }
  int32_t TickOfStep(size_t step) const;
  /// Whether the limits let a note begin at a step of this beat.
  bool MayStrikeStep(size_t step) const;
  bool MayStrikeInBeat() const;
  bool MustStrikeInBeat() const;
  /// Whether a note of the beat before may go on in this one.
  bool HasRoomToGoOn() const;
  bool AllowsKey(int key) const;
  bool AllowsPattern(int pattern, bool must_strike) const;
  void LimitBeat(std::span<uint8_t> allowed) const;
  void AdvanceBeat(const TokenInfo& token);

  const Tokenizer* tokenizer_;
  const Vocabulary* vocabulary_;
  std::shared_ptr<const MusicLimits> limits_;
  Place place_;
  std::shared_ptr<const std::vector<KeptNote>> kept_;
  size_t next_kept_ = 0;

  StreamState state_;
  CopiedGrammar grammar_;  // only of vocabularies with programs
  bool writing_ = false;   // the prompt is over
  int32_t new_from_ = 0;   // where the first new bar begins
  int position_ = -1;      // of the bar's last Position token; -1 before it
  int32_t notes_in_bar_ = 0;
  int64_t counted_bar_ = -1;  // of `notes_in_bar_`
  bool last_bar_has_note_ = false;
  std::vector<Sounding> sounding_;                      // in streams of durations
  std::optional<Sounding> begun_;                       // a new note whose duration is to come; `end` is its onset
  std::vector<std::pair<int32_t, int>> kept_sounding_;  // onset and pitch, in streams of note-offs
  const KeptNote* forced_ = nullptr;                    // whose velocity and duration are to come

  // Of BEAT:
  bool in_beat_ = false;
  std::array<int, kBeatPlaces.size()> sounding_steps_{};  // keys that sound in each step of the beat
  std::set<BeatKey> sounding_keys_;                       // to the end of the beat before
  std::set<BeatKey> held_keys_;                           // to the end of this beat
  std::map<int, int> tracks_of_program_;                  // in this beat
};

}  // namespace continuo
