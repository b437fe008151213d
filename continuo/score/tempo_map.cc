#include "continuo/score/tempo_map.h"

#include <algorithm>
#include <iterator>

namespace continuo {

TempoMap::TempoMap(const Score& score) {
  const double microticks = 1e6 * std::max(1, score.ticks_per_quarter);
  sections_.push_back({0, 0.0, Tempo().us_per_quarter / microticks});
  for (const Tempo& tempo : score.tempos) {
    const Tick begin = std::max(tempo.time, sections_.back().begin);
    sections_.push_back({begin, Seconds(begin), tempo.us_per_quarter / microticks});
  }
}

double TempoMap::Seconds(Tick tick) const {
  const auto next = std::upper_bound(sections_.begin(), sections_.end(), tick,
                                     [](Tick time, const Section& section) { return time < section.begin; });
  const Section& section = *std::prev(next);
  return section.seconds + static_cast<double>(tick - section.begin) * section.seconds_per_tick;
}

}  // namespace continuo
