#include "continuo/metrics/grid_piece.h"

#include <algorithm>
#include <iterator>

#include "continuo/core/check.h"

namespace continuo {
namespace {

int64_t ToStep(int64_t tick, int64_t ticks_per_quarter) {
  return (2 * kStepsPerQuarter * tick + ticks_per_quarter) / (2 * ticks_per_quarter);
}

int64_t BarSteps(int64_t numerator, int64_t denominator) {
  constexpr int64_t kStepsPerWhole = 4 * kStepsPerQuarter;
  return std::max<int64_t>(1, (2 * kStepsPerWhole * numerator + denominator) / (2 * denominator));
}

// The sections that begin at or before step `last`.
std::vector<BarSection> Sections(const Score& score, int64_t last) {
  struct Signature {
    int64_t step;
    int32_t numerator;
    int32_t denominator;
  };
  std::vector<Signature> signatures;
  for (const TimeSignature& signature : score.time_signatures) {
    const int64_t step = ToStep(signature.time, score.ticks_per_quarter);
    if (signature.numerator > 0 && signature.denominator > 0 && step <= last) {
      signatures.push_back({step, signature.numerator, signature.denominator});
    }
  }
  std::stable_sort(signatures.begin(), signatures.end(),
                   [](const Signature& a, const Signature& b) { return a.step < b.step; });

  std::vector<BarSection> sections = {{0, BarSteps(4, 4), 0}};
  Signature in_force = {0, 4, 4};
  for (size_t i = 0; i < signatures.size(); ++i) {
    const Signature& next = signatures[i];
    const bool replaced = i + 1 < signatures.size() && signatures[i + 1].step == next.step;
    const bool same = next.numerator == in_force.numerator && next.denominator == in_force.denominator;
    if (replaced || same) {
      continue;
    }
    in_force = next;
    const BarSection previous = sections.back();
    const int64_t bars = (next.step - previous.start + previous.bar_steps - 1) / previous.bar_steps;
    if (bars == 0) {
      sections.pop_back();
    }
    sections.push_back({next.step, BarSteps(next.numerator, next.denominator), previous.first_bar + bars});
  }
  return sections;
}

// Gives each note its bar and position.
void FindBars(GridPiece& piece) {
  size_t section = 0;
  for (GridNote& note : piece.notes) {
    while (section + 1 < piece.sections.size() && piece.sections[section + 1].start <= note.onset) {
      ++section;
    }
    const BarSection& in = piece.sections[section];
    const int64_t bar = (note.onset - in.start) / in.bar_steps;
    note.bar = in.first_bar + bar;
    note.position = note.onset - in.start - bar * in.bar_steps;
  }
}

// Leaves the first `bars` bars; the piece has more.
void KeepFirstBars(GridPiece& piece, int64_t bars) {
  while (piece.sections.back().first_bar > bars) {
    piece.sections.pop_back();
  }
  const BarSection& last = piece.sections.back();
  const int64_t end = last.start + (bars - last.first_bar) * last.bar_steps;
  if (last.first_bar == bars) {
    piece.sections.pop_back();
  }
  while (piece.notes.back().onset >= end) {
    piece.notes.pop_back();
    if (piece.notes.empty()) {
      break;
    }
  }
  for (GridNote& note : piece.notes) {
    note.end = std::min(note.end, end);
  }
  piece.bars = bars;
  piece.end = end;
}

}  // namespace

size_t GridPiece::SectionAt(int64_t step) const {
  const auto next = std::upper_bound(sections.begin(), sections.end(), step,
                                     [](int64_t value, const BarSection& section) { return value < section.start; });
  return static_cast<size_t>(std::distance(sections.begin(), next)) - 1;
}

GridPiece PlaceOnGrid(const Score& score, int64_t first_bars) {
  CONTINUO_CHECK(score.ticks_per_quarter > 0);
  GridPiece piece;
  size_t count = 0;
  for (const Track& track : score.tracks) {
    count += track.notes.size();
  }
  if (count == 0) {
    return piece;
  }
  piece.notes.reserve(count);
  for (size_t i = 0; i < score.tracks.size(); ++i) {
    const Track& track = score.tracks[i];
    for (const Note& note : track.notes) {
      const int64_t onset = ToStep(note.time, score.ticks_per_quarter);
      const int64_t end = ToStep(int64_t{note.time} + note.duration, score.ticks_per_quarter);
      piece.notes.push_back({.onset = onset,
                             .end = std::max(onset + 1, end),
                             .time = note.time,
                             .duration = note.duration,
                             .track = static_cast<uint32_t>(i),
                             .pitch = note.pitch,
                             .is_drum = track.is_drum});
    }
  }
  const auto earlier = [](const GridNote& a, const GridNote& b) { return a.onset < b.onset; };
  if (!std::is_sorted(piece.notes.begin(), piece.notes.end(), earlier)) {
    std::stable_sort(piece.notes.begin(), piece.notes.end(), earlier);
  }
  piece.sections = Sections(score, piece.notes.back().onset);
  FindBars(piece);
  piece.bars = piece.notes.back().bar + 1;
  const BarSection& last = piece.sections.back();
  piece.end = last.start + (piece.bars - last.first_bar) * last.bar_steps;
  if (first_bars > 0 && first_bars < piece.bars) {
    KeepFirstBars(piece, first_bars);
  }
  for (const BarSection& section : piece.sections) {
    piece.positions = std::max(piece.positions, section.bar_steps);
  }
  return piece;
}

}  // namespace continuo
