#include "continuo/score/bars.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "continuo/core/check.h"

namespace continuo {
namespace {

bool SameMetre(const TimeSignature& a, const TimeSignature& b) {
  return a.numerator == b.numerator && a.denominator == b.denominator;
}

}  // namespace

int64_t BarTicks(int32_t ticks_per_quarter, const TimeSignature& signature) {
  const int64_t ticks = int64_t{4} * ticks_per_quarter * signature.numerator;
  const int64_t denominator = signature.denominator;
  return std::max<int64_t>(1, ticks / denominator + (2 * (ticks % denominator) >= denominator ? 1 : 0));
}

BarGrid::BarGrid(const Score& score, bool by_signature) {
  const TimeSignature common;
  sections_.push_back({0, common, BarTicks(score.ticks_per_quarter, common)});
  if (!by_signature) {
    return;
  }
  for (size_t i = 0; i < score.time_signatures.size(); ++i) {
    const TimeSignature& signature = score.time_signatures[i];
    if (signature.numerator <= 0 || signature.denominator <= 0) {
      continue;
    }
    const Section& running = sections_.back();
    CONTINUO_CHECK(signature.time >= running.signature.time);
    if (signature.time == running.signature.time) {
      // The last of one tick counts, so the section that an earlier one began here goes.
      const bool first = sections_.size() == 1;
      const size_t bar = running.bar;
      sections_.pop_back();
      if (!first && SameMetre(sections_.back().signature, signature)) {
        continue;
      }
      sections_.push_back({bar, signature, BarTicks(score.ticks_per_quarter, signature)});
    } else if (!SameMetre(running.signature, signature)) {
      const int64_t passed = int64_t{signature.time} - running.signature.time;
      const auto bars = static_cast<size_t>((passed + running.length - 1) / running.length);
      sections_.push_back({running.bar + bars, signature, BarTicks(score.ticks_per_quarter, signature)});
    }
  }
}

size_t BarGrid::BarAt(Tick time) const {
  CONTINUO_CHECK(time >= 0);
  const auto next = std::upper_bound(sections_.begin(), sections_.end(), time,
                                     [](Tick t, const Section& section) { return t < section.signature.time; });
  const Section& section = *std::prev(next);
  return section.bar + static_cast<size_t>((int64_t{time} - section.signature.time) / section.length);
}

Tick BarGrid::Line(size_t bar) const {
  constexpr int64_t kLast = std::numeric_limits<Tick>::max();
  const Section& section = SectionOf(bar);
  const size_t bars = bar - section.bar;
  if (bars > static_cast<size_t>(kLast / section.length)) {
    return static_cast<Tick>(kLast);
  }
  return static_cast<Tick>(std::min(kLast, section.signature.time + static_cast<int64_t>(bars) * section.length));
}

TimeSignature BarGrid::Signature(size_t bar) const {
  return SectionOf(bar).signature;
}

const BarGrid::Section& BarGrid::SectionOf(size_t bar) const {
  const auto next = std::upper_bound(sections_.begin(), sections_.end(), bar,
                                     [](size_t b, const Section& section) { return b < section.bar; });
  return *std::prev(next);
}

size_t CountBars(const Score& score, bool by_signature) {
  Tick last = -1;
  for (const Track& track : score.tracks) {
    for (const Note& note : track.notes) {
      const int64_t last_tick = int64_t{note.time} + std::max<Tick>(note.duration, 1) - 1;
      last = std::max(last, static_cast<Tick>(std::min<int64_t>(last_tick, std::numeric_limits<Tick>::max())));
    }
  }
  return last < 0 ? 0 : BarGrid(score, by_signature).BarAt(last) + 1;
}

Tick BarLine(const Score& score, size_t bar, bool by_signature) {
  return BarGrid(score, by_signature).Line(bar);
}

}  // namespace continuo
