#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "continuo/token/vocabulary.h"

namespace continuo {

/// What a piece that is being written must come to.
struct GrammarTarget {
  /// Exactly so many complete bars from the start of the stream (a prompt's bars count); 0: no target.
  size_t bars = 0;
};

/// Which tokens may follow what has been written so far. Each id that it allows decodes to something:
/// no note, tempo or signature is dropped. Not thread-safe; clone one a thread.
///
/// With a target, the state becomes `complete()` when that many bars are full and nothing sounds or is
/// half written; the last bar is made to hold at least one note, so that a reader counts the same bars.
/// Then only EOS is allowed. Without a target EOS is allowed wherever a piece may end.
class Grammar {
 public:
  virtual ~Grammar() = default;
  virtual std::unique_ptr<Grammar> Clone() const = 0;

  /// Sets allowed[id] to 1 for ids that may come next and to 0 for the others. At least one is 1.
  /// `allowed` has the vocabulary's size. PAD, BOS and MASK are never allowed.
  virtual void Allowed(std::span<uint8_t> allowed) const = 0;

  /// Moves on by one token. False, and no change, if `id` may not come next. BOS is accepted at the
  /// start, where it changes nothing.
  virtual bool Advance(TokenId id) = 0;

  /// True when the target's bars are complete.
  virtual bool complete() const = 0;

  /// Bars begun so far (a stream that has just opened its first bar: 1).
  virtual size_t bars() const = 0;

  /// Token that, in this state, closes the bar under way and opens the next, for streams with bar tokens
  /// (used to pad a prompt with empty bars and to open the first new bar); -1 if this state or kind has none.
  virtual TokenId next_bar_token() const { return -1; }
};

}  // namespace continuo
