#include "continuo/score/bars.h"

#include <algorithm>
#include <iterator>

namespace continuo {
namespace {

int64_t BarTicks(int32_t ticks_per_quarter, int64_t numerator, int64_t denominator) {
  return std::max<int64_t>(1, ticks_per_quarter * 4 * numerator / denominator);
}

}  // namespace

BarGrid::BarGrid(const Score& score, BarRule rule) {
  sections_.push_back({0, BarTicks(score.ticks_per_quarter, 4, 4), 0});
  if (rule == BarRule::kFourFour) {
    return;
  }
  TimeSignature in_force;
  const std::vector<TimeSignature>& signatures = score.time_signatures;
  for (size_t i = 0; i < signatures.size(); ++i) {
    const TimeSignature& next = signatures[i];
    const bool replaced = i + 1 < signatures.size() && signatures[i + 1].time == next.time;
    const bool same = next.numerator == in_force.numerator && next.denominator == in_force.denominator;
    if (next.numerator < 1 || next.denominator < 1 || replaced || same) {
      continue;
    }
    in_force = next;
    const Section last = sections_.back();
    const int64_t start = std::max<int64_t>(next.time, last.start);
    const int64_t cut = (start - last.start + last.bar_ticks - 1) / last.bar_ticks;  // a bar cut short counts
    if (start == last.start) {
      sections_.pop_back();
    }
    sections_.push_back({start, BarTicks(score.ticks_per_quarter, next.numerator, next.denominator),
                         last.first_bar + static_cast<size_t>(cut)});
  }
}

int64_t BarGrid::Line(size_t bar) const {
  const auto next = std::upper_bound(sections_.begin(), sections_.end(), bar,
                                     [](size_t value, const Section& section) { return value < section.first_bar; });
  const Section& section = *std::prev(next);
  return section.start + static_cast<int64_t>(bar - section.first_bar) * section.bar_ticks;
}

size_t BarGrid::BarAt(Tick time) const {
  const auto next = std::upper_bound(sections_.begin(), sections_.end(), time,
                                     [](int64_t value, const Section& section) { return value < section.start; });
  const Section& section = *std::prev(next);
  return section.first_bar + static_cast<size_t>((time - section.start) / section.bar_ticks);
}

size_t CountBars(const Score& score, BarRule rule) {
  Tick last_onset = -1;
  for (const Track& track : score.tracks) {
    for (const Note& note : track.notes) {
      last_onset = std::max(last_onset, note.time);
    }
  }
  return last_onset < 0 ? 0 : BarGrid(score, rule).BarAt(last_onset) + 1;
}

}  // namespace continuo
