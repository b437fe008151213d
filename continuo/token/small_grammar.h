#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "continuo/token/grammar_base.h"
#include "continuo/token/token_tables.h"

namespace continuo {

/// What the grammars of representations without pedals, bends and chords share: how a piece begins
/// and ends. Besides what an EnumeratedGrammar needs, `Derived` has
///
///     int32_t bar() const;                // under way, from 0
///     bool CanEndAt(size_t bars) const;  // a target that may be set now
///
/// and its Refresh() is also called for a new target.
template <typename Derived>
class SmallGrammar : public EnumeratedGrammar<Derived, GrammarBase> {
 public:
  bool SetTarget(const GrammarTarget& target) override {
    const bool begun = started_ && target.bars <= static_cast<size_t>(derived().bar());
    if (ended_ || has_target() || target.bars < 1 || begun || !derived().CanEndAt(target.bars)) {
      return false;
    }
    target_bars_ = target.bars;
    derived().Refresh();
    return true;
  }

  bool AppendKey(int32_t /*horizon*/, std::string& /*key*/) const override { return false; }
  size_t bars() const override {
    if (!started_) {
      return 0;
    }
    const size_t begun = static_cast<size_t>(derived().bar()) + 1;
    return has_target() ? std::min(begun, target_bars_) : begun;
  }

 protected:
  using EnumeratedGrammar<Derived, GrammarBase>::EnumeratedGrammar;
  using EnumeratedGrammar<Derived, GrammarBase>::derived;
  using EnumeratedGrammar<Derived, GrammarBase>::MayFollow;
  using GrammarBase::complete_;
  using GrammarBase::ended_;
  using GrammarBase::eos_;
  using GrammarBase::has_target;
  using GrammarBase::started_;
  using GrammarBase::target_bars_;
  using TablesOfGrammar::tables_;

  /// The bar under way is the target's last.
  bool in_last_bar() const { return has_target() && static_cast<size_t>(derived().bar()) + 1 == target_bars_; }
  /// A note begins in the bar under way.
  void NoteBegins() { onset_bar_ = derived().bar(); }
  bool BarHasOnset() const { return onset_bar_ == derived().bar(); }
  /// Nothing is half written and the piece may end with the bar under way.
  bool MayEnd() const { return has_target() ? in_last_bar() && BarHasOnset() : onset_bar_ >= 0; }
  template <typename Sink>
  void EnumerateEnd(Sink& sink) const {
    if (MayEnd()) {
      sink.One(eos_);
    }
  }

  int32_t onset_bar_ = -1;  // of the latest note; -1 before the first
};

/// The programs that a stream may use, and whether its notes are of drums or of pitches: fixed by
/// its first note where tracks have streams of their own.
class StreamPrograms {
 public:
  explicit StreamPrograms(const TokenTables& tables) : tables_(&tables) {}

  /// Of the note under way; 0 without programs.
  int program() const { return program_; }
  bool fixed() const { return fixed_; }

  template <typename Sink>
  void EnumeratePrograms(Sink& sink) const {
    if (fixed_ && !tables_->one_stream()) {
      sink.One(tables_->program[static_cast<size_t>(program_ + 1)]);
      return;
    }
    for (int program = -1; program < 128; ++program) {
      // Drums without keys have no notes.
      if (tables_->has_program[static_cast<size_t>(program + 1)]) {
        sink.One(tables_->program[static_cast<size_t>(program + 1)]);
      }
    }
  }

  /// `drums` are the keys of drums that decoding keeps.
  template <typename Sink>
  void EnumeratePitches(const IdRange& pitches, const IdRange& drums, Sink& sink) const {
    if (tables_->config.use_programs) {
      sink.Range(program_ == -1 && tables_->config.use_pitchdrum_tokens ? drums : pitches);
      return;
    }
    if (!fixed_ || !drums_) {
      sink.Range(pitches);
    }
    if (!fixed_ || drums_) {
      sink.Range(drums);
    }
  }

  void TakeProgram(int program) {
    program_ = program;
    fixed_ = true;
  }
  void TakePitch(bool drum) {
    drums_ = drum;
    fixed_ = true;
  }

 private:
  const TokenTables* tables_;
  int program_ = 0;
  bool fixed_ = false;
  bool drums_ = false;
};

}  // namespace continuo
