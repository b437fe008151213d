#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "continuo/token/vocabulary.h"

namespace continuo {

/// What a piece that is being written must come to.
struct GrammarTarget {
  /// Exactly this many complete bars from the start of the stream (a prompt's bars count); 0: no
  /// target.
  size_t bars = 0;
};

/// Which tokens may follow what has been written so far. Each id that it allows decodes to
/// something: no note, tempo or signature is dropped, and no pedal. Not thread-safe; clone one a
/// thread. A grammar must not outlive its tokenizer.
///
/// Streams with bar tokens (REMI): with a target, the piece may end as soon as the last bar holds
/// the beginning of a note and nothing is half written or waits for its end. EOS and the token that
/// would close the bar (Bar, or Bar_End where there is one) are then allowed among others; either
/// makes the state `complete()`. It is no part of the piece. Notes are kept from sounding past the
/// target's end.
///
/// Streams of time shifts (MIDI-Like, TSD): with a target, time may go up to its end and no
/// further, and there only when the last bar holds the beginning of a note. The state is
/// `complete()` when time is at the end and nothing sounds, or by EOS in the last bar, under the
/// conditions above. Bars are counted in the running time signature.
///
/// When complete, only EOS is allowed (nothing in a vocabulary without EOS). Without a target EOS
/// is allowed wherever a piece with at least one note may end, and only EOS follows it.
class Grammar {
 public:
  virtual ~Grammar() = default;
  virtual std::unique_ptr<Grammar> Clone() const = 0;
  /// Takes the state of another grammar of the same tokenizer. Cheaper than Clone.
  virtual void CopyFrom(const Grammar& other) = 0;

  /// Sets allowed[id] to 1 for ids that may come next and to 0 for the others. At least one is 1.
  /// `allowed` has the vocabulary's size. PAD, BOS and MASK are never allowed.
  virtual void Allowed(std::span<uint8_t> allowed) const = 0;

  /// Moves on by one token. False, and no change, if `id` may not come next. BOS is accepted at the
  /// start, where it changes nothing.
  virtual bool Advance(TokenId id) = 0;

  /// Sets the target of a stream that has begun without one. It limits what comes from here on, not
  /// what the stream has already: a note may sound past the target's end. False, and no change, if
  /// the stream is half-way through an event or cannot come to its end there.
  virtual bool SetTarget(const GrammarTarget& target) = 0;

  /// Appends bytes that say what may follow: two grammars of one tokenizer that append the same
  /// allow the same tokens, now and after any tokens that both take and that move time by at most
  /// `horizon` ticks, the ends of notes included. False, and nothing is said, if there are no such
  /// bytes.
  virtual bool AppendKey(int32_t horizon, std::string& key) const = 0;

  /// Takes every note to sound from here on, so that Allowed and AppendKey no longer depend on
  /// which do, and neither EOS nor the target's end is reached. False, and no change, if notes have
  /// no tokens that end them, or what sounds decides more than which of these may come.
  virtual bool TakeAllToSound() { return false; }
  /// Of the tokens that end notes: adds the notes that each may end at this tick to now[token], and
  /// those that it may end after time has moved to later[token]. Both have the vocabulary's size.
  virtual void CountSounding(std::span<uint16_t> /*now*/, std::span<uint16_t> /*later*/) const {}

  /// True when the target's bars are complete.
  virtual bool complete() const = 0;

  /// Bars begun so far (a stream that has just opened its first bar: 1). Of time shifts: the bars
  /// that hold the time from the start to now, where a bar line counts for the bar that it begins,
  /// but never more than the target.
  virtual size_t bars() const = 0;

  /// The next token on the way to a new bar, for streams with bar tokens (used to pad a prompt with
  /// empty bars and to open the first new bar): Bar_End where there is one, Bar, the running time
  /// signature after a Bar that must be followed by one. -1 if this state or kind has none.
  virtual TokenId next_bar_token() const { return -1; }
};

}  // namespace continuo
