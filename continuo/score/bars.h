#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "continuo/score/score.h"

namespace continuo {

/// Ticks of a whole bar: 4 n / d quarter notes, rounded half up, at least one.
int64_t BarTicks(int32_t ticks_per_quarter, const TimeSignature& signature);

/// Where the bars of a score begin. Bar 0 begins at tick 0; there is no last bar.
///
/// A bar lasts BarTicks. 4/4 is in force before the first time signature. Of several signatures at
/// one tick the last counts, and one equal to that in force changes nothing; any other begins a bar
/// where it stands and cuts the running bar short. Signatures whose numerator or denominator is not
/// positive are passed over.
///
/// Takes memory by the signatures, not by the bars. Immutable; any number of threads may use one
/// object.
class BarGrid {
 public:
  /// `by_signature` false: 4/4 throughout, whatever the score says. The score's signatures are in
  /// the order of time.
  explicit BarGrid(const Score& score, bool by_signature = true);

  /// The bar that holds this time, which is not negative.
  size_t BarAt(Tick time) const;

  /// Where a bar begins; the last tick there is (2^31 - 1) for one that would begin later.
  Tick Line(size_t bar) const;

  /// The time signature of a bar; its `time` is where it came into force.
  TimeSignature Signature(size_t bar) const;

 private:
  // Bars of one length, up to the next section.
  struct Section {
    size_t bar;
    TimeSignature signature;
    int64_t length;  // of a bar, in ticks
  };
  const Section& SectionOf(size_t bar) const;

  std::vector<Section> sections_;  // at least one; the first at bar 0
};

/// How many bars a score has: those up to the last in which a note begins or still sounds; 0
/// without notes.
size_t CountBars(const Score& score, bool by_signature = true);

/// Where bar `bar` begins, counted from 0. For more than one look-up make a BarGrid.
Tick BarLine(const Score& score, size_t bar, bool by_signature = true);

}  // namespace continuo
