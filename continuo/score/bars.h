#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "continuo/score/score.h"

namespace continuo {

enum class BarRule {
  kTimeSignatures,  // a bar is as long as the time signature in force says, and a change of it begins a bar
  kFourFour,        // 4/4 from tick 0, whatever the signatures
};

/// The bar lines of a score. Bars are numbered from 0, from tick 0 on, without end. A time signature equal to the one
/// in force is no change; one with a numerator or denominator below 1 is passed over; of several at one tick the
/// last counts; 4/4 is in force before the first.
class BarGrid {
 public:
  BarGrid(const Score& score, BarRule rule);

  /// Where bar `bar` begins, in ticks.
  int64_t Line(size_t bar) const;
  /// The bar that `time`, 0 or later, lies in. A bar line belongs to the bar that it begins.
  size_t BarAt(Tick time) const;

 private:
  struct Section {
    int64_t start = 0;
    int64_t bar_ticks = 1;  // at least 1
    size_t first_bar = 0;
  };
  std::vector<Section> sections_;  // rising; the first starts at 0
};

/// Bars from tick 0 to the one in which the last note begins; 0 where there are no notes.
size_t CountBars(const Score& score, BarRule rule);

}  // namespace continuo
