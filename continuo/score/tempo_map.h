#pragma once

#include <vector>

#include "continuo/score/score.h"

namespace continuo {

/// From ticks to seconds, through a score's tempos. Immutable; any number of threads may use one
/// object.
class TempoMap {
 public:
  explicit TempoMap(const Score& score);

  /// Seconds from the start of the score to a tick, which is not negative. Takes the logarithm of
  /// the number of tempos.
  double Seconds(Tick tick) const;

 private:
  struct Section {
    Tick begin;
    double seconds;           // at `begin`
    double seconds_per_tick;  // from there on
  };
  std::vector<Section> sections_;  // at least one; the first at tick 0
};

}  // namespace continuo
