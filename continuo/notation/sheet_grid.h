#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/notation/metre.h"
#include "continuo/notation/spelling.h"
#include "continuo/score/bars.h"
#include "continuo/score/score.h"

namespace continuo {

/// A note on the grid; times are from the start of the sheet.
struct StaffNote {
  Unit from = 0;
  Unit to = 0;
  uint8_t pitch = 60;
  uint8_t velocity = 64;
  uint8_t staff = 0;
  SpelledPitch name;
  bool operator==(const StaffNote&) const = default;
};

/// The places of one staff: binary, but for the quarter notes that are divided into three or six.
class StaffGrid {
 public:
  /// The quarter note of a bar, counted from its bar line.
  using Cell = std::pair<size_t, int64_t>;

  explicit StaffGrid(Unit step) : step_(step) {}
  void Divide(const Cell& cell, Unit step) { divided_[cell] = step; }
  Unit StepIn(const Cell& cell) const {
    const auto found = divided_.find(cell);
    return found == divided_.end() ? step_ : found->second;
  }

 private:
  Unit step_;
  std::map<Cell, Unit> divided_;
};

/// A bar of the sheet.
struct GridBar {
  Unit from = 0;
  Unit length = 0;
  TimeSignature signature;
  bool shortened = false;  // shorter than its signature says: cut by the next, or a pickup

  Unit to() const { return from + length; }
};

/// No more bars are written.
inline constexpr size_t kMaxSheetBars = 20000;

/// Where the bars and the grid of sheet music lie in a score.
///
/// Bars are those of BarGrid, up to the last that a note reaches. Within each bar the grid has
/// `steps_per_quarter` places (4: sixteenths, 8, 16). A first bar of its own signature that lasts
/// half of the next or less is a pickup and carries the signature of the next.
class SheetGrid {
 public:
  /// Fails on a signature that cannot be written (its denominator no power of two up to
  /// kMaxDenominator, its numerator above 255), on negative times, and on more bars than
  /// kMaxSheetBars. `name` stands for the file in messages.
  static Result<SheetGrid> Create(const Score& score, int32_t steps_per_quarter, std::string_view name);

  const std::vector<GridBar>& bars() const { return bars_; }
  bool has_pickup() const { return has_pickup_; }

  /// The bar that holds a place; the last one for places at or after the end.
  size_t BarAt(Unit place) const;

  /// The nearest place of the binary grid.
  Unit Snap(Tick time) const;

  /// The grid that notes of one staff ask for. A quarter note (counted from the bar line, where the
  /// denominator is 4 or less) is divided into three or six if that costs less than its binary
  /// places. An onset costs its distance from the nearest place; by triplets three times that, and
  /// two units if it comes off the binary grid, three if by sixths. An end costs a quarter of that.
  StaffGrid FindTriplets(const std::vector<Note>& notes) const;
  /// One without triplets.
  StaffGrid Binary() const { return StaffGrid(step_); }

  /// Notes at the nearest places of a staff, each at least one step long, in the order of time,
  /// then pitch.
  std::vector<StaffNote> SnapNotes(const std::vector<Note>& notes, const StaffGrid& grid, uint8_t staff) const;

  /// The last place of a staff at or before this.
  Unit Floor(Unit place, const StaffGrid& grid) const;

 private:
  struct Place {
    size_t bar;
    int64_t cell;   // the quarter note of the bar
    int64_t ticks;  // within the cell
  };
  SheetGrid(const Score& score, int32_t steps_per_quarter)
      : grid_(score), ticks_per_quarter_(score.ticks_per_quarter), step_(kUnitsPerQuarter / steps_per_quarter) {}
  Place Find(Tick time) const;
  Unit At(const Place& place, Unit step) const;
  Unit NearestStep(int64_t ticks, Unit step) const;

  BarGrid grid_;
  int64_t ticks_per_quarter_;
  Unit step_;
  std::vector<GridBar> bars_;
  bool has_pickup_ = false;
};

/// Leaves of notes that begin together on one pitch the longest, and ends a note where its pitch is
/// struck again, or at the last place of its staff before: what one instrument plays. `staves` are
/// the grids of the staves. In the order of time, then pitch.
void EndAtRestrike(std::vector<StaffNote>& notes, const SheetGrid& grid, const std::vector<StaffGrid>& staves);

}  // namespace continuo
