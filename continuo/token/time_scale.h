#pragma once

#include <algorithm>
#include <cstdint>

#include "continuo/token/prepared_score.h"

namespace continuo {

/// symusic's resample(): the product in doubles, rounded half away from zero.
class TimeScale {
 public:
  TimeScale(int32_t from, int32_t to)
      : scale_(static_cast<double>(to) / static_cast<double>(from)), most_(MostTicks(to)), same_(from == to) {}

  int32_t operator()(int32_t time) const {
    if (same_) {
      return std::clamp(time, 0, most_);
    }
    const double scaled = scale_ * static_cast<double>(time);
    if (!(scaled > 0)) {
      return 0;
    }
    if (scaled >= most_) {
      return most_;
    }
    const int32_t whole = static_cast<int32_t>(scaled);
    return whole + (scaled - whole >= 0.5 ? 1 : 0);
  }

  int32_t Duration(int32_t duration) const {
    return same_ ? std::clamp(duration, 0, most_) : std::max(1, (*this)(duration));
  }

  /// The product cut to an integer, as MidiTok does for time signatures.
  int32_t Cut(int32_t time) const {
    return same_
               ? std::clamp(time, 0, most_)
               : static_cast<int32_t>(std::clamp(scale_ * static_cast<double>(time), 0.0, static_cast<double>(most_)));
  }

 private:
  double scale_;
  int32_t most_;
  bool same_;
};

}  // namespace continuo
