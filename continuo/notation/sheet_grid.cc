#include "continuo/notation/sheet_grid.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <map>
#include <utility>

#include "continuo/core/check.h"

namespace continuo {
namespace {

bool ByTime(const StaffNote& a, const StaffNote& b) {
  return std::pair(a.from, a.pitch) < std::pair(b.from, b.pitch);
}

Tick EndOf(const Note& note) {
  return static_cast<Tick>(std::min<int64_t>(std::numeric_limits<Tick>::max(), int64_t{note.time} + note.duration));
}

}  // namespace

Result<SheetGrid> SheetGrid::Create(const Score& score, int32_t steps_per_quarter, std::string_view name) {
  CONTINUO_CHECK(steps_per_quarter == 4 || steps_per_quarter == 8 || steps_per_quarter == 16);
  constexpr int64_t kLastTick = std::numeric_limits<Tick>::max();
  // A note reaches a bar if it is rounded to a place after its bar line.
  const int64_t half_step = (int64_t{score.ticks_per_quarter} + 2 * steps_per_quarter - 1) / (2 * steps_per_quarter);
  int64_t end = -1;
  for (const Track& track : score.tracks) {
    for (const Note& note : track.notes) {
      if (note.time < 0 || note.duration < 0) {
        return MakeError("{}: a note begins at tick {} and lasts {}, expected no negative times", name, note.time,
                         note.duration);
      }
      end = std::max({end, std::min(kLastTick, int64_t{note.time} + note.duration) - half_step, int64_t{note.time}});
    }
  }
  for (const TimeSignature& signature : score.time_signatures) {
    const int32_t denominator = signature.denominator;
    if (signature.numerator <= 0 || denominator <= 0) {
      continue;  // BarGrid passes over it too
    }
    if (signature.numerator > 255 || denominator > kMaxDenominator || (denominator & (denominator - 1)) != 0) {
      return MakeError(
          "{}: the time signature {}/{} at tick {} cannot be written, expected a numerator up to 255 and a power of "
          "two up to {} as denominator",
          name, signature.numerator, denominator, signature.time, kMaxDenominator);
    }
  }

  SheetGrid sheet(score, steps_per_quarter);
  const BarGrid& grid = sheet.grid_;
  const size_t count = end < 0 ? 1 : grid.BarAt(static_cast<Tick>(std::min(end, kLastTick - 1))) + 1;
  if (count > kMaxSheetBars) {
    return MakeError(ErrorCode::kTooLarge, "{}: has {} bars, expected at most {}", name, count, kMaxSheetBars);
  }
  Unit from = 0;
  for (size_t bar = 0; bar < count; ++bar) {
    const TimeSignature signature = grid.Signature(bar);
    const int64_t ticks = int64_t{grid.Line(bar + 1)} - grid.Line(bar);
    const Unit whole = kUnitsPerWhole / signature.denominator * signature.numerator;
    Unit length = whole;
    if (grid.IsCut(bar)) {
      length = std::clamp(sheet.NearestStep(ticks, sheet.step_), std::min(whole, sheet.step_), whole);
    }
    sheet.bars_.push_back({from, length, signature, length != whole});
    from += length;
  }
  if (count > 1) {
    GridBar& first = sheet.bars_[0];
    const GridBar& second = sheet.bars_[1];
    const bool own = second.signature.time > 0 && second.signature.time == grid.Line(1);
    if (own && !second.shortened && first.length * 2 <= second.length) {
      first.signature = second.signature;
      first.signature.time = 0;
      first.shortened = true;
      sheet.has_pickup_ = true;
    }
  }
  return sheet;
}

size_t SheetGrid::BarAt(Unit place) const {
  const auto next = std::upper_bound(bars_.begin(), bars_.end(), place,
                                     [](Unit value, const GridBar& bar) { return value < bar.from; });
  return next == bars_.begin() ? 0 : static_cast<size_t>(next - bars_.begin()) - 1;
}

SheetGrid::Place SheetGrid::Find(Tick time) const {
  const size_t bar = grid_.BarAt(time);
  const int64_t ticks = int64_t{time} - grid_.Line(bar);
  return {bar, ticks / ticks_per_quarter_, ticks % ticks_per_quarter_};
}

Unit SheetGrid::NearestStep(int64_t ticks, Unit step) const {
  const int64_t per_step = step * ticks_per_quarter_;
  return (ticks * kUnitsPerQuarter * 2 + per_step) / (2 * per_step) * step;
}

Unit SheetGrid::At(const Place& place, Unit step) const {
  if (place.bar >= bars_.size()) {
    return bars_.back().to();
  }
  const GridBar& bar = bars_[place.bar];
  return bar.from + std::min(bar.length, place.cell * kUnitsPerQuarter + NearestStep(place.ticks, step));
}

Unit SheetGrid::Snap(Tick time) const {
  return At(Find(time), step_);
}

StaffGrid SheetGrid::FindTriplets(const std::vector<Note>& notes) const {
  // Of each quarter note what its onsets and ends cost on three grids, in units times
  // ticks_per_quarter_.
  constexpr size_t kGrids = 3;
  constexpr int64_t kOnsetWeight = 4;  // ends are played less exactly
  const std::array<Unit, kGrids> steps = {step_, kUnitsPerQuarter / 3, kUnitsPerQuarter / 6};
  const std::array<int64_t, kGrids> off_binary = {0, 2, 3};  // of a place off the binary grid
  std::map<StaffGrid::Cell, std::array<int64_t, kGrids>> cells;
  for (const Note& note : notes) {
    for (const bool onset : {true, false}) {
      const Place place = Find(onset ? note.time : EndOf(note));
      std::array<int64_t, kGrids>& costs = cells[{place.bar, place.cell}];
      for (size_t grid = 0; grid < kGrids; ++grid) {
        const Unit nearest = NearestStep(place.ticks, steps[grid]);
        int64_t cost = std::abs(place.ticks * kUnitsPerQuarter - nearest * ticks_per_quarter_);
        if (grid > 0) {
          cost = 3 * cost + (nearest % 3 != 0 ? off_binary[grid] * ticks_per_quarter_ : 0);
        }
        costs[grid] += onset ? kOnsetWeight * cost : cost;
      }
    }
  }
  StaffGrid result(step_);
  for (const auto& [cell, costs] : cells) {
    if (cell.first >= bars_.size()) {
      continue;
    }
    const GridBar& bar = bars_[cell.first];
    if (bar.signature.denominator > 4 || (cell.second + 1) * kUnitsPerQuarter > bar.length) {
      continue;
    }
    if (std::min(costs[1], costs[2]) < costs[0]) {
      result.Divide(cell, costs[1] <= costs[2] ? steps[1] : steps[2]);
    }
  }
  return result;
}

std::vector<StaffNote> SheetGrid::SnapNotes(const std::vector<Note>& notes, const StaffGrid& grid,
                                            uint8_t staff) const {
  std::vector<StaffNote> result;
  result.reserve(notes.size());
  const Unit last = bars_.back().to();
  for (const Note& note : notes) {
    const Place begin = Find(note.time);
    const Place end = Find(EndOf(note));
    StaffNote snapped;
    snapped.from = At(begin, grid.StepIn({begin.bar, begin.cell}));
    snapped.to = At(end, grid.StepIn({end.bar, end.cell}));
    snapped.pitch = note.pitch;
    snapped.velocity = note.velocity;
    snapped.staff = staff;
    if (snapped.from >= last) {
      snapped.from = Floor(last - 1, grid);
    }
    if (snapped.to <= snapped.from) {
      // One step of the quarter note in which it now begins.
      const size_t bar = BarAt(snapped.from);
      const int64_t cell = (snapped.from - bars_[bar].from) / kUnitsPerQuarter;
      snapped.to = std::min(bars_[bar].to(), snapped.from + grid.StepIn({bar, cell}));
    }
    result.push_back(snapped);
  }
  std::stable_sort(result.begin(), result.end(), ByTime);
  return result;
}

Unit SheetGrid::Floor(Unit place, const StaffGrid& grid) const {
  const size_t bar = BarAt(place);
  const Unit inside = place - bars_[bar].from;
  const int64_t cell = inside / kUnitsPerQuarter;
  const Unit step = grid.StepIn({bar, cell});
  return bars_[bar].from + cell * kUnitsPerQuarter + inside % kUnitsPerQuarter / step * step;
}

void EndAtRestrike(std::vector<StaffNote>& notes, const SheetGrid& grid, const std::vector<StaffGrid>& staves) {
  std::stable_sort(notes.begin(), notes.end(), [](const StaffNote& a, const StaffNote& b) {
    return std::pair(a.pitch, a.from) < std::pair(b.pitch, b.from);
  });
  std::vector<StaffNote> kept;
  kept.reserve(notes.size());
  for (const StaffNote& note : notes) {
    if (!kept.empty() && kept.back().pitch == note.pitch) {
      StaffNote& before = kept.back();
      if (before.from == note.from) {
        if (note.to > before.to) {
          before.to = note.to;
          before.staff = note.staff;
        }
        before.velocity = std::max(before.velocity, note.velocity);
        continue;
      }
      if (before.to > note.from) {
        before.to = grid.Floor(note.from, staves[before.staff]);
        if (before.to <= before.from) {
          kept.pop_back();
        }
      }
    }
    kept.push_back(note);
  }
  std::sort(kept.begin(), kept.end(), ByTime);
  notes = std::move(kept);
}

}  // namespace continuo
