#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "continuo/token/clocks.h"

namespace continuo {

/// Where a stream of any representation is, and what is in force there. Takes one token after the
/// other; tokens that make no sense where they stand change nothing. Ticks are those of decoded
/// scores (see ticks_per_quarter). Not thread-safe; must not outlive its tokenizer.
class StreamState {
 public:
  /// A note whose end has not come yet, in representations of note-offs.
  struct SoundingNote {
    int program;          // -1 for drums, where the vocabulary has programs
    TokenId pitch_id;     // of its Pitch or NoteOn token
    TokenId velocity_id;  // kNoToken without velocities
    int pitch;
    int32_t onset;
  };

  explicit StreamState(const TokenTables& tables);

  /// Moves on by one token; `id` may be outside the vocabulary.
  void Advance(TokenId id);

  bool has_bar_tokens() const { return bar_tokens_; }
  int32_t ticks_per_quarter() const { return tables_->time_division; }
  int32_t tick() const { return has_bar_tokens() ? remi_.tick() : shift_.tick(); }
  /// The bar under way, counted from 0; -1 before the first of a stream with bar tokens.
  int32_t bar() const { return has_bar_tokens() ? remi_.bar() : shift_.bar(); }
  /// Where the bar under way began.
  int32_t tick_at_bar() const {
    return has_bar_tokens() ? remi_.tick_at_bar() : shift_.tick() - shift_.ticks_into_bar();
  }
  const MeterClock& meter() const { return has_bar_tokens() ? remi_.meter() : shift_.meter(); }
  const ShiftClock& shift() const { return shift_; }

  TokenId tempo() const { return tempo_; }                    // kNoToken before the first
  TokenId harmony() const { return harmony_; }                // the chord of REMIChord in force
  int program() const { return program_; }                    // of the last Program token; 0 before the first
  TokenId stream_program() const { return stream_program_; }  // the first Program token
  int key() const { return key_; }                            // of BEAT: the last of the block; -1 before the first
  /// The key that a Pitch of BEAT would be. It may be below 0.
  int KeyAfter(const TokenInfo& info) const {
    return key_ < 0 || info.type == TokenType::kDrumKey ? info.value : key_ - info.value;
  }
  const std::vector<SoundingNote>& sounding() const { return sounding_; }
  bool pedal_is_down(int program) const { return pedal_start_[static_cast<size_t>(program + 1)] >= 0; }

  /// Where a Rest token with this TokenInfo::value would lead.
  int32_t TickAfterRest(int32_t index) const;

 private:
  int32_t RestStart() const { return tables_->note_on_off() ? 0 : note_end_; }
  void TakePitch(TokenId id, int pitch);
  void EndNote(int pitch);

  const TokenTables* tables_;
  bool bar_tokens_;
  RemiClock remi_;
  ShiftClock shift_;
  TokenId tempo_ = kNoToken;
  TokenId harmony_ = kNoToken;
  int program_ = 0;
  int key_ = -1;
  TokenId stream_program_ = kNoToken;
  int32_t note_end_ = 0;  // from which rests are counted
  // What the note whose Pitch token came last still takes.
  bool takes_velocity_ = false;
  bool takes_duration_ = false;
  std::vector<SoundingNote> sounding_;  // first in, first out
  std::array<int32_t, 129> pedal_start_;
};

}  // namespace continuo
