#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "continuo/metrics/grid_piece.h"

namespace continuo {

/// Sixteenths of a whole note: the positions in a bar of 4/4 at which bars are compared.
inline constexpr int64_t kFormPositions = 16;

/// value / divisor, rounded to the nearest whole number, halves to the even one. `value` is not
/// negative, `divisor` positive.
int64_t RoundHalfToEven(int64_t value, int64_t divisor);

/// A note as two bars are compared by it.
struct FormNote {
  int64_t bar = 0;
  int64_t position = 0;  // of the onset, from 0 to before 2^47
  uint8_t pitch = 0;     // MIDI key
  bool is_drum = false;
  double duration = 0;  // in any unit, the same for all notes
};

/// How alike two bars are, each from 0 to 1. A bar without notes is like none, not even another
/// such bar.
struct BarLikeness {
  double exact = 0;   // pairs (position, pitch) in both bars over those in either (Jaccard)
  double rhythm = 0;  // cosine of the positions at which a note begins
  double chroma = 0;  // cosine of how long each pitch class sounds, without drums
};

/// The notes of one bar, ready to be compared with other bars.
class BarPattern {
 public:
  /// `notes`, at least one, are those of one bar, in any order.
  explicit BarPattern(std::span<const FormNote> notes);

  int64_t bar() const { return bar_; }
  BarLikeness LikenessTo(const BarPattern& other) const;

 private:
  int64_t bar_;
  std::vector<uint64_t> notes_;      // position, then pitch and whether it is a drum's; rising, each once
  std::vector<int64_t> positions_;   // rising, each once
  std::array<double, 12> chroma_{};  // of length 1, or all 0
};

/// The patterns of all bars that have notes, rising. `notes` are in the order of their bars.
std::vector<BarPattern> BarPatternsOf(std::span<const FormNote> notes);

/// Over all pairs of bars that stand `lag` bars apart among the first `bars`.
struct LagLikeness {
  BarLikeness mean;          // NaN if there is no pair
  double largest_exact = 0;  // of one pair
};

/// `patterns` are of bars below `bars`; `lag` is at least 1. Takes time by the patterns, not by the
/// bars between them.
LagLikeness LikenessAtLag(std::span<const BarPattern> patterns, int64_t bars, int64_t lag);

/// The longest distance between bars, in bars, at which the form of a piece is measured.
inline constexpr size_t kFormLags = 24;

/// How much of a piece returns after 1 to 24 bars.
struct Form {
  static constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
  static constexpr BarLikeness kNoPair = {kUndefined, kUndefined, kUndefined};

  /// Means over all pairs of bars `lag` bars apart; NaN where the piece has none. `lag` is from 1
  /// to kFormLags.
  const BarLikeness& At(size_t lag) const { return lags[lag - 1]; }

  std::array<BarLikeness, kFormLags> lags = [] {
    std::array<BarLikeness, kFormLags> none;
    none.fill(kNoPair);
    return none;
  }();
};

/// The form of the bars of a piece, by its time signatures. An onset counts at the nearest
/// sixteenth of its bar; one between two counts at the even one, and one past the last at the
/// first.
Form MeasureForm(const GridPiece& piece);

/// Share of the notes at whose onset (the exact tick) an earlier note of the same key begins in the
/// same track, so that one of the two cannot be heard. Drums do not count. NaN without notes.
double DoubledOnsets(const GridPiece& piece);

/// Share of the notes that begin while a note of the same key in the same track, begun before,
/// still sounds: a piano would have to release the key first. Drums do not count. NaN without
/// notes.
double OverlappingNotes(const GridPiece& piece);

}  // namespace continuo
