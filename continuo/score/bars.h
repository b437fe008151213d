#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "continuo/score/score.h"

namespace continuo {

/// A time or a length in ticks that need not be whole; the denominator is positive.
struct TickFraction {
  int64_t numerator = 0;
  int64_t denominator = 1;
};

/// The nearest tick, the later of two. The time is at least -1/2.
int64_t NearestTick(const TickFraction& time);

TickFraction Difference(const TickFraction& a, const TickFraction& b);

/// Where the bars of a score begin. Bar 0 begins at tick 0; there is no last bar.
///
/// A bar lasts as long as its time signature says, 4 n / d quarter notes, and at least a tick. Its
/// line need not be on a tick: a bar of 3/8 lasts a tick and a half where a quarter note has one.
/// It is then at the nearest tick, the later of two, and the next line is as far from it as if it
/// had not been rounded, so that rounding never adds up.
///
/// 4/4 is in force before the first time signature. Of several signatures at one tick the last
/// counts, and one equal to that in force changes nothing; any other begins a bar where it stands
/// and, if no bar line is there, cuts the running bar short. Signatures whose numerator or
/// denominator is not positive are passed over.
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

  /// Where a bar begins before its line is rounded to a tick, up to the last tick as above. In
  /// lowest terms.
  TickFraction ExactLine(size_t bar) const;

  /// A time as far from the exact line of its bar as it is from the rounded one, so that it stays
  /// in the bar.
  TickFraction ExactTime(Tick time) const;

  /// How long a bar is, before its lines are rounded.
  TickFraction Length(size_t bar) const;

  /// The time signature of a bar; its `time` is where it came into force.
  TimeSignature Signature(size_t bar) const;

  /// Whether the next time signature cuts a bar short.
  bool IsCut(size_t bar) const;

  /// The first bar, and each in which another time signature comes into force; rising.
  std::vector<size_t> SignatureBars() const;

 private:
  // Bars of one length, up to the next section.
  struct Section {
    size_t bar;
    TimeSignature signature;
    TickFraction start;
    int64_t length;  // of a bar, in the parts of a tick that `start` has
  };
  static Section NewSection(size_t bar, const TimeSignature& signature, TickFraction start, int64_t ticks_per_quarter);
  std::vector<Section>::const_iterator SectionOf(size_t bar) const;

  std::vector<Section> sections_;  // at least one; the first at bar 0
};

/// How many bars a score has: those up to the last in which a note begins or still sounds; 0
/// without notes.
size_t CountBars(const Score& score, bool by_signature = true);

}  // namespace continuo
