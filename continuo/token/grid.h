#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "continuo/token/python_compat.h"

namespace continuo {

/// From the end of the section before (or 0) to before `end`, events lie on multiples of `step`
/// ticks from where the section begins.
struct GridSection {
  int32_t end = INT32_MAX;
  int32_t step = 1;
};

/// Puts times on the grid of the section that they lie in, where a score has time signatures of
/// several denominators. An event has a `time`, and a `duration` where ends are moved; events are
/// in the order of time. Grid304 in miditok_3_0_4.h is what release 3.0.4 has instead.
class Grid {
 public:
  Grid() = default;  // moves nothing
  explicit Grid(std::vector<GridSection> sections) : sections_(std::move(sections)) {}

  template <typename Event>
  void MoveTimes(std::vector<Event>& events) const {
    if (!active()) {
      return;
    }
    size_t first = 0;
    int32_t start = 0;
    // The borders are looked up before any time changes.
    std::vector<size_t> borders;
    for (const GridSection& section : sections_) {
      borders.push_back(section.end == INT32_MAX ? events.size() : LowerBound(events, section.end));
    }
    for (size_t s = 0; s < sections_.size(); ++s) {
      if (sections_[s].step != 1) {
        for (size_t i = first; i < borders[s]; ++i) {
          events[i].time = RoundToStep(events[i].time - start, sections_[s].step) + start;
        }
      }
      first = std::max(first, borders[s]);
      start = sections_[s].end;
    }
  }

  /// Of tempos and bends.
  template <typename Event>
  void MoveTimesOfChanges(std::vector<Event>& events) const {
    MoveTimes(events);
  }

  /// Puts both ends of events with a duration on their grids.
  template <typename Event>
  void MoveEnds(std::vector<Event>& events) const {
    if (!active()) {
      return;
    }
    std::vector<int32_t> ends;
    ends.reserve(events.size());
    for (const Event& event : events) {
      ends.push_back(event.time + event.duration);
    }
    MoveTimes(events);
    for (size_t i = 0; i < events.size(); ++i) {
      const auto [end_start, end_step] = At(ends[i]);
      int32_t end = RoundToStep(ends[i] - end_start, end_step) + end_start;
      if (end <= events[i].time) {
        end = events[i].time + At(events[i].time).second;
      }
      events[i].duration = end - events[i].time;
    }
  }

  /// Before pedals that touch become one, and after that.
  template <typename Event>
  void MovePedals(std::vector<Event>& pedals) const {
    MoveEnds(pedals);
  }
  template <typename Event>
  void FinishPedals(std::vector<Event>& /*pedals*/) const {}

 private:
  bool active() const { return sections_.size() > 1 || (!sections_.empty() && sections_[0].step != 1); }

  template <typename Event>
  static size_t LowerBound(const std::vector<Event>& events, int32_t time) {
    const auto found = std::lower_bound(events.begin(), events.end(), time,
                                        [](const Event& event, int32_t value) { return event.time < value; });
    return static_cast<size_t>(found - events.begin());
  }

  // Where the grid at a time starts, and its step.
  std::pair<int32_t, int32_t> At(int32_t time) const {
    size_t s = 0;
    while (s + 1 < sections_.size() && sections_[s].end <= time) {
      ++s;
    }
    return {s == 0 ? 0 : sections_[s - 1].end, sections_[s].step};
  }

  std::vector<GridSection> sections_;
};

}  // namespace continuo
