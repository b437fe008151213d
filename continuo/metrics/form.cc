#include "continuo/metrics/form.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "continuo/core/check.h"

namespace continuo {
namespace {

// Added to the length of a vector before division, so that an empty one stays 0.
constexpr double kLeastLength = 1e-9;

/// How many values two rising lists without repetitions share.
template <typename Value>
size_t CountShared(const std::vector<Value>& a, const std::vector<Value>& b) {
  size_t shared = 0;
  for (auto x = a.begin(), y = b.begin(); x != a.end() && y != b.end();) {
    shared += *x == *y ? 1 : 0;
    const bool next_x = *x <= *y;
    const bool next_y = *y <= *x;
    x += next_x ? 1 : 0;
    y += next_y ? 1 : 0;
  }
  return shared;
}

template <typename Value>
void SortOnce(std::vector<Value>& values) {
  std::ranges::sort(values);
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

/// Calls `visit(notes)` with the notes of each key of each track that are not drums', in the order
/// of time.
template <typename Visit>
void ForEachKey(const GridPiece& piece, const Visit& visit) {
  std::map<std::pair<uint32_t, uint8_t>, std::vector<GridNote>> keys;
  for (const GridNote& note : piece.notes) {
    if (!note.is_drum) {
      keys[{note.track, note.pitch}].push_back(note);
    }
  }
  for (auto& [key, notes] : keys) {
    std::ranges::stable_sort(notes, {}, &GridNote::time);
    visit(notes);
  }
}

/// The share of the notes that `count_in(notes of one key)` counts.
template <typename Count>
double ShareOfNotes(const GridPiece& piece, const Count& count_in) {
  size_t counted = 0;
  size_t notes = 0;
  ForEachKey(piece, [&](const std::vector<GridNote>& of_key) {
    counted += count_in(of_key);
    notes += of_key.size();
  });
  return notes > 0 ? static_cast<double>(counted) / static_cast<double>(notes) : Form::kUndefined;
}

}  // namespace

int64_t RoundHalfToEven(int64_t value, int64_t divisor) {
  const int64_t below = value / divisor;
  const int64_t rest = value % divisor;
  const int64_t other = divisor - rest;
  return below + (rest > other || (rest == other && below % 2 == 1) ? 1 : 0);
}

BarPattern::BarPattern(std::span<const FormNote> notes) : bar_(notes.front().bar) {
  for (const FormNote& note : notes) {
    const auto key = static_cast<uint64_t>(note.pitch) << 1 | (note.is_drum ? 1 : 0);
    notes_.push_back(static_cast<uint64_t>(note.position) << 16 | key);
    positions_.push_back(note.position);
    if (!note.is_drum) {
      chroma_[note.pitch % 12] += note.duration;
    }
  }
  SortOnce(notes_);
  SortOnce(positions_);
  double square = 0;
  for (const double part : chroma_) {
    square += part * part;
  }
  for (double& part : chroma_) {
    part /= std::sqrt(square) + kLeastLength;
  }
}

BarLikeness BarPattern::LikenessTo(const BarPattern& other) const {
  const auto length = [](size_t marks) { return std::sqrt(static_cast<double>(marks)) + kLeastLength; };
  const size_t shared = CountShared(notes_, other.notes_);
  BarLikeness likeness;
  likeness.exact = static_cast<double>(shared) / static_cast<double>(notes_.size() + other.notes_.size() - shared);
  likeness.rhythm = static_cast<double>(CountShared(positions_, other.positions_)) /
                    (length(positions_.size()) * length(other.positions_.size()));
  for (size_t i = 0; i < chroma_.size(); ++i) {
    likeness.chroma += chroma_[i] * other.chroma_[i];
  }
  return likeness;
}

std::vector<BarPattern> BarPatternsOf(std::span<const FormNote> notes) {
  std::vector<BarPattern> patterns;
  for (size_t begin = 0; begin < notes.size();) {
    size_t end = begin + 1;
    while (end < notes.size() && notes[end].bar == notes[begin].bar) {
      ++end;
    }
    patterns.emplace_back(notes.subspan(begin, end - begin));
    begin = end;
  }
  return patterns;
}

LagLikeness LikenessAtLag(std::span<const BarPattern> patterns, int64_t bars, int64_t lag) {
  CONTINUO_CHECK(lag >= 1);
  LagLikeness result;
  if (bars <= lag) {
    result.mean = Form::kNoPair;
    return result;
  }
  BarLikeness sum;
  auto later = patterns.begin();
  for (const BarPattern& pattern : patterns) {
    while (later != patterns.end() && later->bar() < pattern.bar() + lag) {
      ++later;
    }
    if (later == patterns.end()) {
      break;
    }
    if (later->bar() == pattern.bar() + lag) {
      const BarLikeness likeness = pattern.LikenessTo(*later);
      sum.exact += likeness.exact;
      sum.rhythm += likeness.rhythm;
      sum.chroma += likeness.chroma;
      result.largest_exact = std::max(result.largest_exact, likeness.exact);
    }
  }
  const auto pairs = static_cast<double>(bars - lag);
  result.mean = {sum.exact / pairs, sum.rhythm / pairs, sum.chroma / pairs};
  return result;
}

Form MeasureForm(const GridPiece& piece) {
  // Two steps of the grid are one position.
  static_assert(4 * kStepsPerQuarter == 2 * kFormPositions);
  std::vector<FormNote> notes;
  notes.reserve(piece.notes.size());
  for (const GridNote& note : piece.notes) {
    const int64_t steps = piece.FullSteps(note.bar);
    const int64_t positions = std::max<int64_t>(1, RoundHalfToEven(steps, 2));
    notes.push_back({.bar = note.bar,
                     .position = RoundHalfToEven(note.position, 2) % positions,
                     .pitch = note.pitch,
                     .is_drum = note.is_drum,
                     .duration = static_cast<double>(note.duration)});
  }
  const std::vector<BarPattern> patterns = BarPatternsOf(notes);
  Form form;
  for (size_t lag = 1; lag <= kFormLags; ++lag) {
    form.lags[lag - 1] = LikenessAtLag(patterns, piece.bars, static_cast<int64_t>(lag)).mean;
  }
  return form;
}

double DoubledOnsets(const GridPiece& piece) {
  return ShareOfNotes(piece, [](const std::vector<GridNote>& notes) {
    size_t doubled = 0;
    for (size_t i = 1; i < notes.size(); ++i) {
      doubled += notes[i].time == notes[i - 1].time ? 1 : 0;
    }
    return doubled;
  });
}

double OverlappingNotes(const GridPiece& piece) {
  return ShareOfNotes(piece, [](const std::vector<GridNote>& notes) {
    size_t overlapping = 0;
    int64_t sounds_until = 0;  // of the notes that began before `time`
    int64_t until = 0;         // of all so far
    int64_t time = -1;
    for (const GridNote& note : notes) {
      if (note.time != time) {
        sounds_until = until;
        time = note.time;
      }
      overlapping += note.time < sounds_until ? 1 : 0;
      until = std::max(until, int64_t{note.time} + note.duration);
    }
    return overlapping;
  });
}

}  // namespace continuo
