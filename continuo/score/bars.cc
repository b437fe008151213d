#include "continuo/score/bars.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>

#include "continuo/core/check.h"

namespace continuo {
namespace {

constexpr int64_t kLast = std::numeric_limits<Tick>::max();

/// The most parts of a tick: times up to twice the last tick fit 64 bits in them.
constexpr int64_t kFinest = int64_t{1} << 30;

bool SameMetre(const TimeSignature& a, const TimeSignature& b) {
  return a.numerator == b.numerator && a.denominator == b.denominator;
}

TickFraction Reduced(int64_t numerator, int64_t denominator) {
  const int64_t common = std::gcd(numerator, denominator);
  return {numerator / common, denominator / common};
}

/// Ticks of a bar that nothing cuts short.
TickFraction BarTicks(int64_t ticks_per_quarter, const TimeSignature& signature) {
  const TickFraction ticks = Reduced(4 * ticks_per_quarter * signature.numerator, signature.denominator);
  if (ticks.numerator < ticks.denominator) {
    return {1, 1};
  }
  // A bar longer than any file need not be exact, nor parts of a tick that no file can name.
  if (ticks.numerator / ticks.denominator > kLast) {
    return {kLast + 1, 1};
  }
  return ticks.denominator > kFinest ? TickFraction{NearestTick(ticks), 1} : ticks;
}

}  // namespace

int64_t NearestTick(const TickFraction& time) {
  return (2 * time.numerator + time.denominator) / (2 * time.denominator);
}

TickFraction Difference(const TickFraction& a, const TickFraction& b) {
  const int64_t parts = std::lcm(a.denominator, b.denominator);
  return {a.numerator * (parts / a.denominator) - b.numerator * (parts / b.denominator), parts};
}

BarGrid::Section BarGrid::NewSection(size_t bar, const TimeSignature& signature, TickFraction start,
                                     int64_t ticks_per_quarter) {
  const TickFraction length = BarTicks(ticks_per_quarter, signature);
  start = Reduced(start.numerator, start.denominator);
  // Denominators of MIDI files are powers of two. Where others have no common one that is small
  // enough, the section begins on its tick.
  int64_t parts = std::lcm(start.denominator, length.denominator);
  if (parts > kFinest) {
    start = {NearestTick(start), 1};
    parts = length.denominator;
  }
  return {bar,
          signature,
          {start.numerator * (parts / start.denominator), parts},
          length.numerator * (parts / length.denominator)};
}

BarGrid::BarGrid(const Score& score, bool by_signature) {
  const int64_t ticks_per_quarter = score.ticks_per_quarter;
  sections_.push_back(NewSection(0, {}, {}, ticks_per_quarter));
  if (!by_signature) {
    return;
  }
  for (size_t i = 0; i < score.time_signatures.size(); ++i) {
    const TimeSignature& signature = score.time_signatures[i];
    if (signature.numerator <= 0 || signature.denominator <= 0) {
      continue;
    }
    const Section running = sections_.back();
    CONTINUO_CHECK(signature.time >= running.signature.time);
    if (signature.time == running.signature.time) {
      // The last of one tick counts, so the section that an earlier one began here goes.
      sections_.pop_back();
      if (sections_.empty() || !SameMetre(sections_.back().signature, signature)) {
        sections_.push_back(NewSection(running.bar, signature, running.start, ticks_per_quarter));
      }
    } else if (!SameMetre(running.signature, signature)) {
      // At a bar line that was rounded to this tick the signature begins where the line is.
      const size_t before = BarAt(signature.time - 1);
      const bool on_line = Line(before + 1) == signature.time;
      const TickFraction start = on_line ? ExactLine(before + 1) : TickFraction{signature.time, 1};
      sections_.push_back(NewSection(before + 1, signature, start, ticks_per_quarter));
    }
  }
}

size_t BarGrid::BarAt(Tick time) const {
  CONTINUO_CHECK(time >= 0);
  const auto next = std::upper_bound(sections_.begin(), sections_.end(), time,
                                     [](Tick t, const Section& section) { return t < section.signature.time; });
  const Section& section = *std::prev(next);
  // The last line that is rounded to `time` or earlier is less than half a tick after it.
  const int64_t passed = (2 * int64_t{time} + 1) * section.start.denominator - 1 - 2 * section.start.numerator;
  return section.bar + static_cast<size_t>(passed / (2 * section.length));
}

Tick BarGrid::Line(size_t bar) const {
  return static_cast<Tick>(std::min(kLast, NearestTick(ExactLine(bar))));
}

TickFraction BarGrid::ExactLine(size_t bar) const {
  const Section& section = *SectionOf(bar);
  const size_t bars = bar - section.bar;
  const TickFraction& start = section.start;
  if (bars > static_cast<size_t>((kLast * start.denominator - start.numerator) / section.length)) {
    return {kLast, 1};
  }
  return Reduced(start.numerator + static_cast<int64_t>(bars) * section.length, start.denominator);
}

TickFraction BarGrid::ExactTime(Tick time) const {
  const size_t bar = BarAt(time);
  const TickFraction line = ExactLine(bar);
  return {line.numerator + (int64_t{time} - Line(bar)) * line.denominator, line.denominator};
}

TickFraction BarGrid::Length(size_t bar) const {
  const auto section = SectionOf(bar);
  const auto next = std::next(section);
  if (next == sections_.end() || bar + 1 < next->bar) {
    return Reduced(section->length, section->start.denominator);
  }
  return Difference(ExactLine(bar + 1), ExactLine(bar));
}

bool BarGrid::IsCut(size_t bar) const {
  const Section& section = *SectionOf(bar);
  const TickFraction length = Length(bar);
  return length.numerator * (section.start.denominator / length.denominator) < section.length;
}

std::vector<size_t> BarGrid::SignatureBars() const {
  std::vector<size_t> bars;
  for (const Section& section : sections_) {
    bars.push_back(section.bar);
  }
  return bars;
}

TimeSignature BarGrid::Signature(size_t bar) const {
  return SectionOf(bar)->signature;
}

std::vector<BarGrid::Section>::const_iterator BarGrid::SectionOf(size_t bar) const {
  const auto next = std::upper_bound(sections_.begin(), sections_.end(), bar,
                                     [](size_t b, const Section& section) { return b < section.bar; });
  return std::prev(next);
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

}  // namespace continuo
