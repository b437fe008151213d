#include "continuo/token/miditok_3_0_4.h"

#include <algorithm>

namespace continuo {

std::vector<size_t> Grid304::SectionEnds(const std::vector<int32_t>& times) const {
  std::vector<size_t> ends;
  size_t first = 0;
  for (size_t s = 0; s < sections_.size(); ++s) {
    size_t last = times.size() - 1;
    if (s + 1 < sections_.size()) {
      // Relative to `first`, but used as an absolute position; 0 where no event is late enough.
      const auto start = times.begin() + static_cast<std::ptrdiff_t>(first);
      const auto found = std::lower_bound(start, times.end(), sections_[s].end);
      last = found == times.end() ? 0 : static_cast<size_t>(found - start);
    }
    ends.push_back(last);
    first = last;
  }
  return ends;
}

std::vector<size_t> Grid304::TicksAsEnds(size_t size) const {
  std::vector<size_t> ends;
  for (const GridSection& section : sections_) {
    ends.push_back(std::min(size, static_cast<size_t>(section.end)));
  }
  return ends;
}

template <typename Function>
void Grid304::ForEachInSection(const std::vector<size_t>& ends, size_t size, const Function& function) const {
  size_t first = 0;
  for (size_t s = 0; s < sections_.size(); ++s) {
    const size_t last = s + 1 == sections_.size() ? size : ends[s];
    if (sections_[s].step != 1) {
      for (size_t i = first; i < last; ++i) {
        function(i, sections_[s].step);
      }
    }
    first = last;
  }
}

void Grid304::RoundTimes(std::vector<int32_t>& times, const std::vector<size_t>& ends) const {
  ForEachInSection(ends, times.size(), [&times](size_t i, int32_t step) { times[i] = RoundToStep(times[i], step); });
}

void Grid304::RoundDurations(const std::vector<int32_t>& times, std::vector<int32_t>& durations,
                             const std::vector<size_t>& section_ends) const {
  ForEachInSection(section_ends, times.size(), [&durations](size_t i, int32_t step) {
    durations[i] = RoundToStep(durations[i], step);
    if (durations[i] == 0) {
      durations[i] = step;
    }
  });
  std::vector<int32_t> ends;
  ends.reserve(times.size());
  for (size_t i = 0; i < times.size(); ++i) {
    ends.push_back(times[i] + durations[i]);
  }
  size_t first = 0;
  for (size_t s = 0; s + 1 < section_ends.size(); ++s) {
    const size_t last = section_ends[s];
    const int32_t border_time = times[last];
    const size_t count = last > first ? last - first : 0;
    for (size_t i = 0; i < count; ++i) {
      if (ends[first + i] >= border_time) {
        // The position in the slice is used as one in the whole list.
        durations[i] = RoundToStep(ends[i], StepForBorder(section_ends, s, times[i])) - times[i];
      }
    }
    first = last;
  }
}

// numpy.argmax(ends[s:] >= time), again without adding the slice's start.
int32_t Grid304::StepForBorder(const std::vector<size_t>& ends, size_t s, int32_t time) const {
  for (size_t i = s; i < ends.size(); ++i) {
    if (static_cast<int64_t>(ends[i]) >= time) {
      return sections_[i - s].step;
    }
  }
  return sections_[0].step;
}

}  // namespace continuo
