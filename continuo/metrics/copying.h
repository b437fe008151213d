#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/metrics/grid_piece.h"
#include "continuo/score/score.h"

namespace continuo {

/// A piece as steps from note to note: the interval in semitones and the time between onsets in
/// eighths of a quarter, packed into a number. Transposing or moving a piece does not change its
/// steps. Notes are ordered by onset, then pitch; drums, and all but one of equal notes, are left
/// out.
struct NoteSteps {
  std::vector<uint64_t> steps;  // one fewer than the notes
  std::vector<int64_t> bars;    // of each note
};

/// The steps of the first `first_bars` bars, or with 0 of all.
NoteSteps StepsOf(const Score& score, int64_t first_bars = 0);
/// The same of notes that are on the grid already.
NoteSteps StepsOf(const GridPiece& piece);

/// A run of notes that a piece shares with a song, in any key and at any time.
struct CopiedRun {
  int64_t notes = 0;  // 0 if not even two notes are shared
  size_t song = 0;
  int64_t bar = 0;       // of the piece, in which the run begins
  int64_t song_bar = 0;  // of the song
};

/// Finds what pieces have copied from a set of songs, with a suffix array over all of them.
/// Immutable, so any thread may call. Takes 28 bytes of memory per note.
class CopyIndex {
 public:
  /// Songs are numbered in the order given. O(n) in their notes: 1 s for the 2.3 million of Pop1K7.
  /// Fails beyond 2^30 notes.
  static Result<CopyIndex> Build(std::span<const NoteSteps> songs);

  /// The longest run of notes that `piece` shares with any song: of several, the first in the
  /// piece, and if several songs have it, one of them. O(m log n) for a piece of m notes, however
  /// repetitive.
  CopiedRun LongestIn(const NoteSteps& piece) const;

 private:
  // The suffixes order_[begin] .. order_[end - 1], which begin with the same steps.
  struct Interval {
    size_t begin;
    size_t end;
  };
  // The suffixes of `interval` whose symbol after `length` is `symbol`.
  Interval Narrow(const Interval& interval, size_t length, int32_t symbol) const;
  // All suffixes that share the first `length` symbols, 1 or more, with order_[at].
  Interval Around(size_t at, int32_t length) const;

  std::unordered_map<uint64_t, int32_t> symbols_;  // of each step that is in a song; 1 .., 0 is the end of a song
  std::vector<int32_t> text_;                      // the songs' symbols, each song ended by a 0
  std::vector<int32_t> order_;                     // suffix array of text_
  std::vector<int32_t> rank_;                      // its inverse
  // Smallest shared prefix (see SharedPrefixes) below each node of a binary tree: node i has the
  // children 2 i and 2 i + 1, the leaf of order_[i] is leaves_ + i.
  std::vector<int32_t> least_shared_;
  size_t leaves_ = 1;
  std::vector<size_t> song_starts_;  // in text_
  std::vector<int32_t> bars_;        // of the note before each symbol of text_
};

/// The number of different runs of `notes` notes, 2 or more, over the number of all such runs in
/// the pieces: 1 if none occurs twice, NaN if there are none. Low values mean that a model repeats
/// itself.
double DistinctRuns(std::span<const NoteSteps> pieces, size_t notes);

}  // namespace continuo
