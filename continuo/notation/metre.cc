#include "continuo/notation/metre.h"

#include <algorithm>

#include "continuo/core/check.h"

namespace continuo {

Unit NoteValue::length() const {
  const Unit plain = log2 < 0 ? kUnitsPerWhole << -log2 : kUnitsPerWhole >> log2;
  return dots == 0 ? plain : plain + plain / 2;
}

bool FindNoteValue(Unit length, NoteValue& value) {
  for (int8_t log2 = -1; log2 <= 7; ++log2) {
    for (uint8_t dots = 0; dots <= 1; ++dots) {
      const NoteValue candidate{log2, dots};
      // A dot on a 128th would need half a unit.
      if (!(log2 == 7 && dots == 1) && candidate.length() == length) {
        value = candidate;
        return true;
      }
    }
  }
  return false;
}

Metre::Metre(int32_t numerator, int32_t denominator)
    : numerator_(numerator), denominator_(denominator), length_(kUnitsPerWhole / denominator * numerator) {
  CONTINUO_CHECK(numerator > 0);
  CONTINUO_CHECK(denominator > 0 && denominator <= kMaxDenominator && (denominator & (denominator - 1)) == 0);
  const Unit unit = kUnitsPerWhole / denominator;
  compound_ = numerator % 3 == 0 && (numerator > 3 || denominator >= 8);
  Unit step = unit;
  if (compound_) {
    for (Unit beat = 0; beat < length_; beat += 3 * unit) {
      beats_.push_back(beat);
    }
    if (numerator == 12) {
      middles_.push_back(length_ / 2);
    }
  } else if (denominator >= 8) {
    irregular_ = numerator % 2 == 1 && numerator > 1;
    int32_t left = numerator;
    Unit at = 0;
    while (left > 0) {
      const int32_t size = left == 3 || numerator == 1 || (left == numerator && numerator == 5) ? std::min(left, 3) : 2;
      beats_.push_back(at);
      at += size * unit;
      left -= size;
    }
  } else {
    for (Unit beat = 0; beat < length_; beat += unit) {
      beats_.push_back(beat);
    }
    if (numerator == 5) {
      middles_.push_back(3 * unit);
    } else if (numerator == 4) {
      middles_.push_back(2 * unit);
    } else if (numerator >= 7) {
      for (Unit middle = 4 * unit; middle < length_; middle += 4 * unit) {
        middles_.push_back(middle);
      }
    }
    step = unit / 2;
  }
  while (step >= 3) {
    steps_.push_back(step);
    if (step % 2 != 0) {
      break;
    }
    step /= 2;
  }
  if (steps_.empty()) {
    steps_.push_back(3);
  }
}

int Metre::Level(Unit position) const {
  if (position <= 0 || position >= length_) {
    return 0;
  }
  if (std::binary_search(middles_.begin(), middles_.end(), position)) {
    return 1;
  }
  if (std::binary_search(beats_.begin(), beats_.end(), position)) {
    return 2;
  }
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (position % steps_[i] == 0) {
      return static_cast<int>(i) + 3;
    }
  }
  return static_cast<int>(steps_.size()) + 3;
}

bool Metre::StrongestInside(Unit from, Unit to, int& level, Unit& first, Unit& last) const {
  const auto in_list = [&](const std::vector<Unit>& list) {
    const auto begin = std::upper_bound(list.begin(), list.end(), from);
    const auto end = std::lower_bound(begin, list.end(), to);
    if (begin == end) {
      return false;
    }
    first = *begin;
    last = *std::prev(end);
    return true;
  };
  if (in_list(middles_)) {
    level = 1;
    return true;
  }
  if (in_list(beats_)) {
    level = 2;
    return true;
  }
  for (size_t i = 0; i < steps_.size(); ++i) {
    const Unit step = steps_[i];
    first = (from / step + 1) * step;
    last = (to - 1) / step * step;
    if (first < to) {
      level = static_cast<int>(i) + 3;
      return true;
    }
  }
  return false;
}

bool Metre::Allowed(Unit from, Unit to, NoteValue value, bool rest) const {
  int inside = 0;
  Unit first = 0;
  Unit last = 0;
  if (!StrongestInside(from, to, inside, first, last)) {
    return true;
  }
  const int begin = Level(from);
  const int end = Level(to);
  const bool uneven = compound_ || irregular_;
  if (uneven && inside <= 2 && (begin > 2 || end > 2)) {
    return false;  // it would hide a beat
  }
  if (rest) {
    const bool dotted_fits = compound_ || value.length() < kUnitsPerWhole / denominator_;
    return begin < inside && (value.dots == 0 || dotted_fits);
  }
  if (begin <= inside || end <= inside) {
    return true;
  }
  // Syncopation: from one weak place to the next, around a place one level stronger.
  const bool middle_may_be_hidden = inside > 1 || numerator_ == 4;
  return !uneven && begin == end && inside == begin - 1 && first == last && from + to == 2 * first &&
         middle_may_be_hidden;
}

std::vector<NotatedPart> Metre::Split(Unit from, Unit to, bool rest) const {
  CONTINUO_CHECK(from >= 0 && from < to && to <= length_ && from % 3 == 0 && to % 3 == 0);
  std::vector<NotatedPart> parts;
  std::vector<std::pair<Unit, Unit>> waiting = {{from, to}};  // the earliest last
  while (!waiting.empty()) {
    const auto [begin, end] = waiting.back();
    waiting.pop_back();
    NoteValue value;
    if (FindNoteValue(end - begin, value) && Allowed(begin, end, value, rest)) {
      parts.push_back({begin, end, value});
      continue;
    }
    int level = 0;
    Unit first = 0;
    Unit last = 0;
    Unit cut = begin + 3;
    if (StrongestInside(begin, end, level, first, last)) {
      NoteValue before;
      const bool strong_start = Level(begin) <= level;
      cut = strong_start && FindNoteValue(last - begin, before) && Allowed(begin, last, before, rest) ? last : first;
    }
    waiting.push_back({cut, end});
    waiting.push_back({begin, cut});
  }
  return parts;
}

bool Metre::JoinsNext(size_t i) const {
  return denominator_ == 4 && (numerator_ == 2 || numerator_ == 4) && i % 2 == 0;
}

}  // namespace continuo
