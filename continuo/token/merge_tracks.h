#pragma once

#include <cstddef>

#include "continuo/core/result.h"
#include "continuo/score/score.h"
#include "continuo/token/token_tables.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// A score whose melodic tracks became one, and what that changed.
struct MergedTracks {
  Score score;
  size_t tracks = 0;     // melodic tracks with notes, before
  size_t notes = 0;      // of the merged track
  size_t dropped = 0;    // notes that were one key struck twice at once
  size_t shortened = 0;  // notes that sounded on into the next of their pitch
};

/// Makes one piano track of all tracks that play melodic instruments, for models of one instrument.
/// Drums stay as they are.
///
/// Works on the grid of a tokenizer, so that the result holds after tokenization: of the notes of
/// one pitch that begin at one time of the grid one is left, with the longest duration and the
/// highest velocity among them, as a key that is struck once sounds; a note that sounds on into
/// the next of its pitch ends where that begins, or, if no duration has this length, at the last
/// one before. Notes outside the tokenizer's pitch range are left out. The result is in ticks of
/// the grid; a score without melodic tracks is returned as it is.
///
/// Immutable; any number of threads may use one object.
class TrackMerger {
 public:
  static Result<TrackMerger> Create(const Tokenizer& tokenizer);

  MergedTracks Merge(const Score& score) const;

 private:
  explicit TrackMerger(TokenTables tables) : tables_(std::move(tables)) {}
  TokenTables tables_;
};

}  // namespace continuo
